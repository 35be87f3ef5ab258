// conv2d_winograd_images: convolutions by minimal filtering F(m×m, k×k) (winograd.h) where images lie innermost. A
// vector is one pixel, or one point, of one channel of a block of images: any number of channels fills the lanes, and
// transforms are arithmetic between vectors.
//
// A task is a row of tiles of a block of images. It goes by a few tiles: transforms what all channels read of them,
// then for a few channels at a time makes the products, point by point in register tiles of `channels` × `tiles`, and
// transforms them back. In between both lie in the caches. The weight, of few channels, is transformed when a call
// begins: of each point it has other numbers, so each is broadcast for several tiles.
//
// Data gradients are not of this form: direct ones skip taps on padding, which minimal filtering computes.
#include "schedules/templates/body.h"
#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/winograd.h"
#include "schedules/templates/winograd_form.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kMaxChannels = 8, kMaxTiles = 8;

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = winograd_problem(kernel);
  return problem && problem->is_forward && problem->stride == 1 && lies_in_blocks(kernel, target) &&
         has_one_output_shape(kernel);
}

int points_of(const WinogradProblem& problem, int64_t tile) { return static_cast<int>(tile) + problem.kernel - 1; }

int tiles_of_row(const WinogradProblem& problem, int64_t tile) { return ceil_div(problem.x.out, tile); }

// Of a register tile: so many that they share a row out evenly.
int tiles_at_once(const WinogradProblem& problem, const Knobs& knobs) {
  return static_cast<int>(largest_divisor(tiles_of_row(problem, knobs.at("tile")), knobs.at("tiles")));
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec&) {
  const WinogradProblem problem = *winograd_problem(kernel);
  return {{"channels", divisors(problem.made, kMaxChannels)},
          {"tile", winograd_tiles(problem, TileSizes::kSmall)},
          {"tiles", {1, 2, 3, 4, 5, 6, 7, kMaxTiles}}};
}

int registers(const Knobs& knobs) {
  const auto channels = static_cast<int>(knobs.at("channels")), tiles = static_cast<int>(knobs.at("tiles"));
  return channels * tiles + tiles + 1;
}

// Multiply-adds of an image, with what transforms take as long as.
double work(const WinogradProblem& problem, int64_t tile) {
  constexpr double kTransform = 6;  // of a point
  const int points = points_of(problem, tile);
  const double tiles = ceil_div(problem.x.out, tile) * ceil_div(problem.y.out, tile);
  return tiles * points * points * (problem.summed * problem.made + kTransform * (problem.summed + problem.made));
}

// The tile of the least work, and the register tile that loads least for a product.
Knobs defaults(const Kernel& kernel, BatchClass, const TargetSpec& target) {
  const WinogradProblem problem = *winograd_problem(kernel);
  const int64_t tile =
      std::ranges::min(winograd_tiles(problem, TileSizes::kSmall), {}, [&](int64_t one) { return work(problem, one); });
  Knobs best = {{"channels", 1}, {"tile", tile}, {"tiles", 1}};
  double least = 2;
  for (int64_t channels : divisors(problem.made, kMaxChannels)) {
    for (int64_t tiles : divisors(tiles_of_row(problem, tile), kMaxTiles)) {
      const Knobs knobs = {{"channels", channels}, {"tile", tile}, {"tiles", tiles}};
      const double loads = 1 / static_cast<double>(channels) + 1 / static_cast<double>(tiles);
      if (registers(knobs) > target.vector_registers || loads >= least) continue;
      least = loads;
      best = knobs;
    }
  }
  return best;
}

bool pays(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  constexpr double kLeastGain = 1.25;
  const WinogradProblem problem = *winograd_problem(kernel);
  const double taps = problem.kernel * problem.kernel;
  const double direct = taps * problem.summed * problem.made * problem.x.out * problem.y.out;
  return kLeastGain * work(problem, defaults(kernel, batch, target).at("tile")) < direct;
}

double relative_error(const Kernel& kernel, const Knobs& knobs) {
  const int tile = static_cast<int>(knobs.at("tile"));
  return winograd_error(*winograd_problem(kernel), tile, tile);
}

Exprs vector_of(int size, const std::function<Expr(const Expr&)>& element) {
  Exprs elements;
  for (int e = 0; e < size; ++e) elements.push_back(element(Expr(e)));
  return elements;
}

// i and j are rows and columns of points, at last of a tile's pixels.
struct Stages {
  Var lane{"lane"}, c{"c"}, i{"i"}, j{"j"}, tx{"tx"}, ty{"ty"}, block{"block"};
  Func half{"half"}, weight{"weight"};      // G w, U = G w Gᵀ
  Func columns{"columns"}, input{"input"};  // Bᵀ d, V = Bᵀ d B
  Func sums{"sums"}, products{"products"};  // Σ_c U ⊗ V in registers, and of the tile
  Func rows{"rows"}, pixels{"pixels"};      // Aᵀ M, Aᵀ M A
  RDom r;
};

Stages make_stages(const Body& body, const WinogradProblem& problem, const Filtering& filtering, int images) {
  Stages s;
  s.r = RDom(0, problem.summed, "r");
  const int n = filtering.points(), m = filtering.outputs, k = filtering.taps;
  const Func &source = anchor_operand(body, 0), &weight = anchor_operand(body, 1);
  s.half(s.c, s.block, s.i, s.j) =
      mux(s.i, winograd_kernel(filtering, vector_of(k, [&](const Expr& e) { return weight(s.j, e, s.block, s.c); })));
  s.weight(s.c, s.j, s.block, s.i) =
      mux(s.j, winograd_kernel(filtering, vector_of(k, [&](const Expr& e) { return s.half(s.c, s.block, s.i, e); })));
  const auto pixel = [&](const Expr& px, const Expr& py) -> Expr {
    const Expr x = s.tx * m + px - problem.x.padding, y = s.ty * m + py - problem.y.padding;
    const Expr inside = likely(x >= 0 && x < problem.x.source) && likely(y >= 0 && y < problem.y.source);
    const Expr at_x = clamp(x, 0, problem.x.source - 1), at_y = clamp(y, 0, problem.y.source - 1);
    return select(inside, source(s.c, at_x, at_y, s.block * images + s.lane), 0.0f);
  };
  const std::vector<Var> at = {s.lane, s.c, s.i, s.j, s.tx, s.ty, s.block};
  s.columns(at) = mux(s.i, winograd_input(filtering, vector_of(n, [&](const Expr& e) { return pixel(s.j, e); })));
  s.input(at) = mux(s.j, winograd_input(filtering, vector_of(n, [&](const Expr& e) {
                                          return s.columns(s.lane, s.c, s.i, e, s.tx, s.ty, s.block);
                                        })));
  s.sums(at) = 0.0f;
  s.sums(at) += s.weight(s.c, s.j, s.r, s.i) * s.input(s.lane, s.r, s.i, s.j, s.tx, s.ty, s.block);
  s.products(at) = s.sums(at);
  s.rows(at) = mux(s.i, winograd_output(filtering, vector_of(n, [&](const Expr& e) {
                                          return s.products(s.lane, s.c, e, s.j, s.tx, s.ty, s.block);
                                        })));
  s.pixels(at) = mux(s.j, winograd_output(filtering, vector_of(n, [&](const Expr& e) {
                                            return s.rows(s.lane, s.c, s.i, e, s.tx, s.ty, s.block);
                                          })));
  return s;
}

void schedule_weight(Stages& s, const WinogradProblem& problem, int channels) {
  Var co("co");
  s.weight.compute_root().bound(s.c, 0, problem.made).bound(s.block, 0, problem.summed);
  s.weight.split(s.c, co, s.c, channels).reorder(s.c, s.j, s.i, s.block, co).vectorize(s.c).unroll(s.j);
  s.half.compute_at(s.weight, s.block).store_in(MemoryType::Stack).bound_extent(s.c, channels);
  s.half.reorder(s.c, s.i, s.j, s.block).vectorize(s.c).unroll(s.i);
}

// Where they are computed: the output's loops over register tiles, over the channels of one, and over its tiles.
struct Places {
  Var block, channels, tile;
};

// One axis of points stays a loop in each transform: unrolled they spill.
void schedule_tiles(Stages& s, const WinogradProblem& problem, const Filtering& filtering, int channels, int tiles,
                    const Func& out, const Places& places) {
  const int n = filtering.points(), m = filtering.outputs;
  for (Func* stage : {&s.input, &s.columns, &s.products, &s.sums, &s.rows, &s.pixels}) {
    stage->bound_extent(s.ty, 1).bound_extent(s.block, 1).vectorize(s.lane);
  }
  s.input.compute_at(out, places.block).bound_extent(s.c, problem.summed).bound_extent(s.tx, tiles);
  s.input.bound_extent(s.i, n).bound_extent(s.j, n).reorder(s.lane, s.j, s.i, s.c, s.tx).unroll(s.j);
  s.input.reorder_storage(s.lane, s.tx, s.c, s.j, s.i, s.ty, s.block);
  s.columns.compute_at(s.input, s.c).store_in(MemoryType::Stack).bound_extent(s.i, n).bound_extent(s.j, n);
  s.columns.reorder(s.lane, s.i, s.j).unroll(s.i);
  s.products.compute_at(out, places.channels).bound_extent(s.c, channels).bound_extent(s.tx, tiles);
  s.products.bound_extent(s.i, n).bound_extent(s.j, n).reorder(s.lane, s.tx, s.c, s.j, s.i).unroll(s.tx).unroll(s.c);
  s.sums.compute_at(s.products, s.j).store_in(MemoryType::Register).bound_extent(s.c, channels);
  s.sums.bound_extent(s.tx, tiles).bound_extent(s.i, 1).bound_extent(s.j, 1).unroll(s.tx).unroll(s.c);
  s.sums.update().reorder(s.lane, s.tx, s.c, s.r).vectorize(s.lane).unroll(s.tx).unroll(s.c);
  s.rows.compute_at(out, places.tile).store_in(MemoryType::Stack).bound_extent(s.c, 1).bound_extent(s.tx, 1);
  s.rows.bound(s.i, 0, m).bound_extent(s.j, n).unroll(s.i);
  s.pixels.compute_at(out, places.tile).store_in(MemoryType::Stack).bound_extent(s.c, 1).bound_extent(s.tx, 1);
  s.pixels.bound(s.i, 0, m).bound(s.j, 0, m).reorder(s.lane, s.j, s.i).unroll(s.j);
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec&) {
  const WinogradProblem problem = *winograd_problem(kernel);
  const int channels = static_cast<int>(knobs.at("channels")), m = static_cast<int>(knobs.at("tile"));
  const int images = static_cast<int>(image_block(kernel)), tiles = tiles_at_once(problem, knobs);
  const Filtering filtering = {.outputs = m, .taps = problem.kernel};
  Body body = make_body(kernel);
  Stages s = make_stages(body, problem, filtering, images);
  Var c("c"), x("x"), y("y"), n("n");
  Func result("result");
  Expr value = s.pixels(n % images, c, y % m, x % m, x / m, y / m, n / images);
  if (problem.has_bias) value += anchor_operand(body, 2)(c);
  result(c, x, y, n) = value;
  set_anchor(body, {result});
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  const std::vector<Var> at = out.args();  // lane, c, x, y, block
  Var co("co"), ci("ci"), xb("xb"), xo("xo"), xi("xi"), yo("yo"), yi("yi"), task("task");
  out.bound(at[1], 0, problem.made).bound(at[2], 0, problem.x.out).bound(at[3], 0, problem.y.out);
  out.split(at[1], co, ci, channels)
      .split(at[2], xo, xi, m, tail_of(problem.x.out, m))
      .split(xo, xb, xo, tiles, TailStrategy::RoundUp)
      .split(at[3], yo, yi, m, tail_of(problem.y.out, m))
      .reorder(at[0], xi, yi, xo, ci, co, xb, yo, at[4])
      .vectorize(at[0])
      .unroll(xi)
      .fuse(yo, at[4], task)
      .parallel(task);
  schedule_weight(s, problem, channels);
  schedule_tiles(s, problem, filtering, channels, tiles, out, {.block = xb, .channels = co, .tile = xo});
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::conv2d_winograd_images = {.name = "conv2d_winograd_images",
                                                            .applies = applies,
                                                            .knobs = knobs,
                                                            .defaults = defaults,
                                                            .layouts = plain_layouts,
                                                            .build = build,
                                                            .registers = registers,
                                                            .pays = pays,
                                                            .relative_error = relative_error,
                                                            .takes_images = true};

}  // namespace convoke
