// conv2d_winograd_images: convolutions and data gradients by minimal filtering F(m×m, k×k) (winograd.h) where images
// lie innermost. A vector is one pixel, or one point, of one channel of a block of images: any number of channels fills
// the lanes, and transforms are arithmetic between vectors.
//
// It goes by a few tiles: transforms what all channels read of them, then for a few channels at a time makes the
// products, point by point in register tiles of `channels` × `tiles`, and transforms them back. In between both lie in
// the caches. The weight, of few channels, is transformed when a call begins: of each point it has other numbers, so
// each is broadcast for several tiles.
//
// A convolution's task is such a few tiles. A data gradient is the transposed filtering: tiles are of the output
// gradient, and what they add to the input's overlaps. So it makes no products of padding, which is most of a small
// image's when its gradient is computed as a convolution; but a task is a whole block of images.
#include "schedules/templates/body.h"
#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/winograd.h"
#include "schedules/templates/winograd_form.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kMaxChannels = 8, kMaxTiles = 8;

// An axis of the output of the convolution, or of the gradient of that.
int tiled_pixels(const WinogradProblem& problem, const WinogradAxis& axis) {
  return problem.is_forward ? axis.out : axis.source;
}

int count_tiles(const WinogradProblem& problem, const WinogradAxis& axis, int64_t tile) {
  return ceil_div(tiled_pixels(problem, axis), tile);
}

struct Form {
  Filtering filtering;
  bool is_forward;
  int images;           // of a vector
  int channels, tiles;  // of a register tile
  int tiles_x, tiles_y;

  // A tile's pixels along an axis: of what is read, and of what is made.
  int from() const { return is_forward ? filtering.points() : filtering.outputs; }
  int to() const { return is_forward ? filtering.outputs : filtering.points(); }
  Exprs to_points(const Exprs& pixels) const {
    return is_forward ? winograd_input(filtering, pixels) : winograd_output_gradient(filtering, pixels);
  }
  Exprs to_pixels(const Exprs& points) const {
    return is_forward ? winograd_output(filtering, points) : winograd_input_gradient(filtering, points);
  }
};

// As many tiles at once as share a row out evenly.
Form form_of(const WinogradProblem& problem, const Knobs& knobs, const TargetSpec& target) {
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int tiles_x = count_tiles(problem, problem.x, knob("tile"));
  return {.filtering = {.outputs = knob("tile"), .taps = problem.kernel},
          .is_forward = problem.is_forward,
          .images = target.vector_lanes,
          .channels = knob("channels"),
          .tiles = static_cast<int>(largest_divisor(tiles_x, knob("tiles"))),
          .tiles_x = tiles_x,
          .tiles_y = count_tiles(problem, problem.y, knob("tile"))};
}

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = winograd_problem(kernel);
  return problem && problem->stride == 1 && lies_in_blocks(kernel, target) && has_one_output_shape(kernel);
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
  const int64_t points = tile + problem.kernel - 1;
  const int64_t tiles = int64_t{count_tiles(problem, problem.x, tile)} * count_tiles(problem, problem.y, tile);
  return static_cast<double>(tiles * points * points) *
         (problem.summed * problem.made + kTransform * (problem.summed + problem.made));
}

// The tile of the least work, and the register tile that loads least for a product, of tiles whose V the L1 cache
// holds.
Knobs defaults(const Kernel& kernel, BatchClass, const TargetSpec& target) {
  constexpr int kFloat = 4;
  const WinogradProblem problem = *winograd_problem(kernel);
  const int64_t tile =
      std::ranges::min(winograd_tiles(problem, TileSizes::kSmall), {}, [&](int64_t one) { return work(problem, one); });
  const int64_t points = tile + problem.kernel - 1;
  const int64_t bytes = kFloat * points * points * problem.summed * target.vector_lanes;
  Knobs best = {{"channels", 1}, {"tile", tile}, {"tiles", 1}};
  double least = 3;
  for (int64_t channels : divisors(problem.made, kMaxChannels)) {
    for (int64_t tiles : divisors(count_tiles(problem, problem.x, tile), kMaxTiles)) {
      const Knobs knobs = {{"channels", channels}, {"tile", tile}, {"tiles", tiles}};
      const double loads = 1 / static_cast<double>(channels) + 1 / static_cast<double>(tiles);
      const bool fits = tiles == 1 || tiles * bytes <= target.l1_bytes;
      if (registers(knobs) > target.vector_registers || !fits || loads >= least) continue;
      least = loads;
      best = knobs;
    }
  }
  return best;
}

// Beside the direct form, which skips taps on padding. A gradient's tiles should stay in the L2 cache until they are
// added up.
bool pays(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  constexpr double kLeastGain = 1.25;
  constexpr int kFloat = 4;
  const WinogradProblem problem = *winograd_problem(kernel);
  const Form form = form_of(problem, defaults(kernel, batch, target), target);
  const int64_t bytes =
      int64_t{kFloat} * form.images * problem.made * form.to() * form.to() * form.tiles_x * form.tiles_y;
  if (!problem.is_forward && 2 * bytes > target.l2_bytes) return false;
  const double direct = static_cast<double>(problem.kernel) * problem.kernel * problem.summed * problem.made *
                        tiled_pixels(problem, problem.x) * tiled_pixels(problem, problem.y);
  return kLeastGain * work(problem, form.filtering.outputs) < direct;
}

double relative_error(const Kernel& kernel, const Knobs& knobs) {
  const int tile = static_cast<int>(knobs.at("tile"));
  return winograd_error(*winograd_problem(kernel), tile, tile);
}

// i and j are rows and columns of points or pixels; `in` is a channel that is summed.
struct Stages {
  Var lane{"lane"}, c{"c"}, in{"in"}, i{"i"}, j{"j"}, tx{"tx"}, ty{"ty"}, block{"block"};
  Func half{"half"}, weight{"weight"};      // G w, U = G w Gᵀ
  Func columns{"columns"}, input{"input"};  // of a tile: the rows of V (Bᵀ d, A dy), and V
  Func sums{"sums"}, products{"products"};  // M = Σ_c U ⊗ V, in registers and of the tiles
  Func rows{"rows"}, pixels{"pixels"};      // Aᵀ M or B M, and what a tile makes
  RDom r;
};

Stages make_stages(const Body& body, const WinogradProblem& problem, const Form& form) {
  Stages s;
  s.r = RDom(0, problem.summed, "r");
  const int n = form.filtering.points(), m = form.filtering.outputs;
  const Func &source = anchor_operand(body, 0), &weight = anchor_operand(body, 1);
  s.half(s.c, s.in, s.i, s.j) =
      mux(s.i, winograd_kernel(form.filtering, vector_of(problem.kernel, [&](const Expr& e) {
                                 return problem.is_forward ? weight(s.j, e, s.in, s.c) : weight(s.j, e, s.c, s.in);
                               })));
  s.weight(s.c, s.j, s.in, s.i) =
      mux(s.j, winograd_kernel(form.filtering,
                               vector_of(problem.kernel, [&](const Expr& e) { return s.half(s.c, s.in, s.i, e); })));
  const auto pixel = [&](const Expr& px, const Expr& py) -> Expr {
    const Expr x = s.tx * m + px - (problem.is_forward ? problem.x.padding : 0),
               y = s.ty * m + py - (problem.is_forward ? problem.y.padding : 0);
    const Expr inside = likely(x >= 0 && x < problem.x.source) && likely(y >= 0 && y < problem.y.source);
    const Expr at_x = clamp(x, 0, problem.x.source - 1), at_y = clamp(y, 0, problem.y.source - 1);
    return select(inside, source(s.c, at_x, at_y, s.block * form.images + s.lane), 0.0f);
  };
  const std::vector<Var> at = {s.lane, s.c, s.i, s.j, s.tx, s.ty, s.block};
  s.columns(at) = mux(s.i, form.to_points(vector_of(form.from(), [&](const Expr& e) { return pixel(s.j, e); })));
  s.input(at) = mux(s.j, form.to_points(vector_of(form.from(), [&](const Expr& e) {
    return s.columns(s.lane, s.c, s.i, e, s.tx, s.ty, s.block);
  })));
  s.sums(at) = 0.0f;
  s.sums(at) += s.weight(s.c, s.j, s.r, s.i) * s.input(s.lane, s.r, s.i, s.j, s.tx, s.ty, s.block);
  s.products(at) = s.sums(at);
  s.rows(at) = mux(s.i, form.to_pixels(vector_of(
                            n, [&](const Expr& e) { return s.products(s.lane, s.c, e, s.j, s.tx, s.ty, s.block); })));
  s.pixels(at) = mux(s.j, form.to_pixels(vector_of(
                              n, [&](const Expr& e) { return s.rows(s.lane, s.c, s.i, e, s.tx, s.ty, s.block); })));
  return s;
}

// A pixel of the input's gradient: what the tiles before it, which reach it, add.
Expr overlapping_tiles(const WinogradProblem& problem, const Form& form, const Stages& s, const Expr& lane,
                       const Expr& c, const Expr& x, const Expr& y, const Expr& block) {
  const int n = form.filtering.points(), m = form.filtering.outputs;
  const auto offset = [&](const Expr& pixel, const WinogradAxis& axis) {
    return pixel + problem.kernel - 1 - axis.padding;
  };
  const Expr ux = offset(x, problem.x), uy = offset(y, problem.y);
  Expr sum;
  for (int b = 0; b < ceil_div(n, m); ++b) {
    for (int a = 0; a < ceil_div(n, m); ++a) {
      const Expr tx = ux / m - a, ty = uy / m - b, j = ux % m + a * m, i = uy % m + b * m;
      const Expr is_there = tx >= 0 && tx < form.tiles_x && ty >= 0 && ty < form.tiles_y && j < n && i < n;
      const Expr pixel = s.pixels(lane, c, min(i, n - 1), min(j, n - 1), clamp(tx, 0, form.tiles_x - 1),
                                  clamp(ty, 0, form.tiles_y - 1), block);
      const Expr added = select(is_there, pixel, 0.0f);
      sum = sum.defined() ? sum + added : added;
    }
  }
  return sum;
}

Func result_of(const Body& body, const WinogradProblem& problem, const Form& form, const Stages& s) {
  const int m = form.filtering.outputs;
  Var c("c"), x("x"), y("y"), n("n");
  Func result("result");
  const Expr lane = n % form.images, block = n / form.images;
  Expr value = form.is_forward ? s.pixels(lane, c, y % m, x % m, x / m, y / m, block)
                               : overlapping_tiles(problem, form, s, lane, c, x, y, block);
  if (problem.has_bias) value += anchor_operand(body, 2)(c);
  result(c, x, y, n) = value;
  return result;
}

void schedule_weight(Stages& s, const WinogradProblem& problem, const Form& form) {
  Var co("co");
  s.weight.compute_root().bound(s.c, 0, problem.made).bound(s.in, 0, problem.summed);
  s.weight.split(s.c, co, s.c, form.channels).reorder(s.c, s.j, s.i, s.in, co).vectorize(s.c).unroll(s.j);
  s.half.compute_at(s.weight, s.in).store_in(MemoryType::Stack).bound_extent(s.c, form.channels);
  s.half.reorder(s.c, s.i, s.j, s.in).vectorize(s.c).unroll(s.i);
}

// Loops of what uses tiles: over register tiles, over the channels of one, and over its tiles.
struct Places {
  Var block, channels, tile;
};

// One axis of points stays a loop in each transform: unrolled they spill.
void schedule_tiles(Stages& s, const WinogradProblem& problem, const Form& form, const Func& user,
                    const Places& places) {
  const int n = form.filtering.points();
  for (Func* stage : {&s.input, &s.columns, &s.products, &s.sums, &s.rows}) {
    stage->bound_extent(s.ty, 1).bound_extent(s.block, 1).vectorize(s.lane);
  }
  s.input.compute_at(user, places.block).bound_extent(s.c, problem.summed).bound_extent(s.tx, form.tiles);
  s.input.bound_extent(s.i, n).bound_extent(s.j, n).reorder(s.lane, s.j, s.i, s.c, s.tx).unroll(s.j);
  s.input.reorder_storage(s.lane, s.tx, s.c, s.j, s.i, s.ty, s.block);
  s.columns.compute_at(s.input, s.c).store_in(MemoryType::Stack).bound_extent(s.i, n).bound_extent(s.j, form.from());
  s.columns.reorder(s.lane, s.i, s.j).unroll(s.i);
  s.products.compute_at(user, places.channels).bound_extent(s.c, form.channels).bound_extent(s.tx, form.tiles);
  s.products.bound_extent(s.i, n).bound_extent(s.j, n).reorder(s.lane, s.tx, s.c, s.j, s.i).unroll(s.tx).unroll(s.c);
  s.sums.compute_at(s.products, s.j).store_in(MemoryType::Register).bound_extent(s.c, form.channels);
  s.sums.bound_extent(s.tx, form.tiles).bound_extent(s.i, 1).bound_extent(s.j, 1).unroll(s.tx).unroll(s.c);
  s.sums.update().reorder(s.lane, s.tx, s.c, s.r).vectorize(s.lane).unroll(s.tx).unroll(s.c);
  s.rows.compute_at(user, places.tile).store_in(MemoryType::Stack).bound_extent(s.c, 1).bound_extent(s.tx, 1);
  s.rows.bound(s.i, 0, form.to()).bound_extent(s.j, n).unroll(s.i);
}

void schedule_convolution(Stages& s, const WinogradProblem& problem, const Form& form, Func out) {
  const int m = form.filtering.outputs;
  const std::vector<Var> at = out.args();  // lane, c, x, y, block
  Var co("co"), ci("ci"), xb("xb"), xo("xo"), xi("xi"), yo("yo"), yi("yi"), task("task");
  out.split(at[1], co, ci, form.channels)
      .split(at[2], xo, xi, m, tail_of(problem.x.out, m))
      .split(xo, xb, xo, form.tiles, TailStrategy::RoundUp)
      .split(at[3], yo, yi, m, tail_of(problem.y.out, m))
      .reorder(at[0], xi, yi, xo, ci, co, xb, yo, at[4])
      .unroll(xi)
      .never_partition(xo)
      .fuse(xb, yo, task)
      .fuse(task, at[4], task)
      .parallel(task);
  s.pixels.compute_at(out, xo).store_in(MemoryType::Stack).bound_extent(s.c, 1).bound_extent(s.tx, 1);
  s.pixels.bound_extent(s.ty, 1).bound(s.i, 0, m).bound(s.j, 0, m).reorder(s.lane, s.j, s.i);
  schedule_tiles(s, problem, form, out, {.block = task, .channels = co, .tile = xo});
}

void schedule_gradient(Stages& s, const WinogradProblem& problem, const Form& form, Func out) {
  const int n = form.filtering.points(), m = form.filtering.outputs;
  const std::vector<Var> at = out.args();
  Var co("co"), xb("xb"), xo("xo"), xi("xi");
  out.split(at[2], xo, xi, m, tail_of(problem.x.out, m))
      .reorder(at[0], xi, at[1], xo, at[3], at[4])
      .unroll(xi)
      .parallel(at[4]);
  s.pixels.compute_at(out, at[4]).bound(s.c, 0, problem.made).bound(s.i, 0, n).bound(s.j, 0, n);
  s.pixels.bound(s.tx, 0, form.tiles_x).bound(s.ty, 0, form.tiles_y);
  s.pixels.reorder_storage(s.lane, s.j, s.i, s.c, s.tx, s.ty, s.block);
  s.pixels.split(s.c, co, s.c, form.channels).split(s.tx, xb, s.tx, form.tiles);
  s.pixels.reorder(s.lane, s.j, s.i, s.tx, s.c, co, xb, s.ty);
  schedule_tiles(s, problem, form, s.pixels, {.block = xb, .channels = co, .tile = s.tx});
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const WinogradProblem problem = *winograd_problem(kernel);
  const Form form = form_of(problem, knobs, target);
  Body body = make_body(kernel);
  Stages s = make_stages(body, problem, form);
  set_anchor(body, {result_of(body, problem, form, s)});
  std::vector<Func> outputs = make_outputs(body);
  Func& out = outputs[0];
  const std::vector<Var> at = out.args();
  out.bound(at[1], 0, problem.made).bound(at[2], 0, problem.x.out).bound(at[3], 0, problem.y.out).vectorize(at[0]);
  if (form.is_forward) {
    schedule_convolution(s, problem, form, out);
  } else {
    schedule_gradient(s, problem, form, out);
  }
  s.pixels.bound_extent(s.block, 1).vectorize(s.lane).unroll(s.j);
  schedule_weight(s, problem, form);
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
