// conv2d_backward_weights_winograd_images: weight gradients of 3×3 and 5×5 convolutions by minimal filtering
// (winograd.h), dw = Gᵀ[Σ_tiles (A dy Aᵀ) ⊙ (Bᵀ d B)]G, where images lie innermost (images.h). A vector is one pixel,
// or one point, of one channel of a block of images.
//
// A task goes through the blocks of images of its chunk. It transforms the columns of both operands, which neighbouring
// tiles share. Then it goes by rows of points: transforms them, and sums the products of all tiles in registers,
// `channels` of output times `inputs` at a time, and the lanes of these sums. So what is transformed back, to be added
// to the chunk's sums, has vectors of output channels.
#include <algorithm>

#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/winograd_weight_gradient.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::Var;

constexpr int kChunks = 4;  // whose sums are a kernel's points each, and as many tasks
constexpr int kMaxChannels = 8;

WinogradWeightGradient problem_of(const Kernel& kernel, int64_t tile) {
  return *as_winograd_weight_gradient(kernel, static_cast<int>(tile));
}

std::vector<int> tiles_of(const Kernel& kernel) { return winograd_gradient_tiles(problem_of(kernel, 2).taps); }

bool applies(const Kernel& kernel, const TargetSpec& target) {
  return as_winograd_weight_gradient(kernel, 2) && lies_in_blocks(kernel, target);
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec&) {
  const WinogradWeightGradient problem = problem_of(kernel, 2);
  const std::vector<int> tiles = tiles_of(kernel);
  return {{"channels", divisors(problem.out_c, kMaxChannels)},
          {"inputs", divisors(problem.in_c, kMaxChannels)},
          {"tile", {tiles.begin(), tiles.end()}}};
}

// One operand of each product may come from memory.
int registers(const Knobs& knobs) {
  const auto channels = static_cast<int>(knobs.at("channels")), inputs = static_cast<int>(knobs.at("inputs"));
  return channels * inputs + std::min(channels, inputs) + 1;
}

// Multiply-adds of an image, with what transforms take as long as; those back are of each block of images.
double work(const WinogradWeightGradient& problem) {
  constexpr double kTransform = 6, kBack = 0.3;  // of a point; of a point and image
  const double products = problem.in_c * problem.out_c, points = problem.points() * problem.points();
  return points * (problem.tiles() * (products + kTransform * (problem.in_c + problem.out_c)) + kBack * products);
}

// The tile of the least work, and the register tile that needs the fewest instructions for its sums: loads, products,
// and what adds up lanes, which is less where those of several channels become neighbours.
Knobs defaults(const Kernel& kernel, BatchClass, const TargetSpec& target) {
  const int tile = std::ranges::min(tiles_of(kernel), {}, [&](int one) { return work(problem_of(kernel, one)); });
  const WinogradWeightGradient problem = problem_of(kernel, tile);
  Knobs best;
  double least = 0;
  for (int64_t channels : divisors(problem.out_c, kMaxChannels)) {
    for (int64_t inputs : divisors(problem.in_c, kMaxChannels)) {
      const Knobs knobs = {{"channels", channels}, {"inputs", inputs}, {"tile", tile}};
      const double each = 1 / static_cast<double>(channels), loads = each + 1 / static_cast<double>(inputs);
      const double price = problem.tiles() * (1 + loads) + 2.25 + 6 * each;
      if (registers(knobs) > target.vector_registers || (!best.empty() && price >= least)) continue;
      least = price;
      best = knobs;
    }
  }
  return best;
}

// The columns that a tile reads and that its neighbours share, of all tiles of a row.
int columns_of_input(const WinogradWeightGradient& problem) {
  return (problem.x.tiles() - 1) * problem.tile() + problem.points();
}
int columns_of_gradient(const WinogradWeightGradient& problem) { return problem.x.tiles() * problem.tile(); }

// Beside the direct form. The transformed columns should stay in the L2 cache.
bool pays(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  constexpr double kLeastGain = 1.25;
  constexpr int kFloat = 4;
  const WinogradWeightGradient problem = problem_of(kernel, defaults(kernel, batch, target).at("tile"));
  const int64_t of_row =
      int64_t{columns_of_input(problem)} * problem.in_c + int64_t{columns_of_gradient(problem)} * problem.out_c;
  if (kFloat * target.vector_lanes * problem.points() * problem.y.tiles() * of_row > target.l2_bytes) return false;
  const double direct =
      static_cast<double>(problem.taps) * problem.taps * problem.in_c * problem.out_c * problem.x.out * problem.y.out;
  return kLeastGain * work(problem) < direct;
}

double relative_error(const Kernel& kernel, const Knobs& knobs) {
  const auto tile = static_cast<int>(knobs.at("tile"));
  return winograd_gradient_error(problem_of(kernel, tile).taps, tile);
}

// i and j are rows and columns of points, x columns of pixels, t the tiles of an image.
struct Stages {
  Var lane{"lane"}, ci{"ci"}, co{"co"}, i{"i"}, j{"j"}, x{"x"}, ty{"ty"}, t{"t"}, kx{"kx"}, ky{"ky"}, block{"block"},
      chunk{"chunk"};
  Func input_columns{"input_columns"}, input{"input"};          // Bᵀ d, Bᵀ d B
  Func gradient_columns{"gradient_columns"}, output{"output"};  // A dy, A dy Aᵀ
  Func sums{"sums"}, products{"products"};                      // Σ_tiles by lane, and of all lanes: M
  Func rows{"rows"}, taps{"taps"}, total{"total"};              // M G, Gᵀ M G, and of a chunk
  RDom tile, across;
};

Stages make_stages(const Body& body, const WinogradWeightGradient& problem, int images) {
  Stages s;
  s.tile = RDom(0, problem.tiles(), "tile");
  s.across = RDom(0, images, "across");
  const Filtering filtering = problem.filtering();
  const int n = filtering.points(), m = filtering.outputs, tiles_x = problem.x.tiles();
  const auto pixel = [&](const Func& of, const Var& c, const Expr& x, const Expr& y, int width, int height) -> Expr {
    const Expr inside = likely(x >= 0 && x < width) && likely(y >= 0 && y < height);
    return select(inside, of(c, clamp(x, 0, width - 1), clamp(y, 0, height - 1), s.block * images + s.lane), 0.0f);
  };
  const Func &dy = anchor_operand(body, 0), &d = anchor_operand(body, 1);
  s.gradient_columns(s.lane, s.co, s.i, s.x, s.ty, s.block) =
      mux(s.i, winograd_output_gradient(filtering, vector_of(m, [&](const Expr& e) {
                                          return pixel(dy, s.co, s.x, s.ty * m + e, problem.x.out, problem.y.out);
                                        })));
  s.output(s.lane, s.co, s.i, s.j, s.t, s.block) =
      mux(s.j, winograd_output_gradient(filtering, vector_of(m, [&](const Expr& e) {
                                          const Expr x = s.t % tiles_x * m + e;
                                          return s.gradient_columns(s.lane, s.co, s.i, x, s.t / tiles_x, s.block);
                                        })));
  s.input_columns(s.lane, s.ci, s.i, s.x, s.ty, s.block) =
      mux(s.i, winograd_input(filtering, vector_of(n, [&](const Expr& e) {
                                return pixel(d, s.ci, s.x - problem.x.padding, s.ty * m + e - problem.y.padding,
                                             problem.x.in, problem.y.in);
                              })));
  s.input(s.lane, s.ci, s.i, s.j, s.t, s.block) =
      mux(s.j, winograd_input(filtering, vector_of(n, [&](const Expr& e) {
                                const Expr x = s.t % tiles_x * m + e;
                                return s.input_columns(s.lane, s.ci, s.i, x, s.t / tiles_x, s.block);
                              })));
  s.sums(s.lane, s.ci, s.co, s.j, s.i, s.block) = 0.0f;
  s.sums(s.lane, s.ci, s.co, s.j, s.i, s.block) +=
      s.output(s.lane, s.co, s.i, s.j, s.tile, s.block) * s.input(s.lane, s.ci, s.i, s.j, s.tile, s.block);
  s.products(s.co, s.ci, s.j, s.i, s.block) = 0.0f;
  s.products(s.co, s.ci, s.j, s.i, s.block) += s.sums(s.across, s.ci, s.co, s.j, s.i, s.block);
  s.rows(s.co, s.kx, s.ci, s.i, s.block) =
      mux(s.kx, winograd_kernel_gradient(
                    filtering, vector_of(n, [&](const Expr& e) { return s.products(s.co, s.ci, e, s.i, s.block); })));
  s.taps(s.co, s.kx, s.ky, s.ci, s.block) =
      mux(s.ky, winograd_kernel_gradient(
                    filtering, vector_of(n, [&](const Expr& e) { return s.rows(s.co, s.kx, s.ci, e, s.block); })));
  return s;
}

// One axis of points stays a loop in each transform: unrolled they spill.
void schedule_operands(Stages& s, const WinogradWeightGradient& problem, const RDom& blocks) {
  const int n = problem.points();
  for (Func* stage : {&s.gradient_columns, &s.output, &s.input_columns, &s.input}) {
    stage->store_in(MemoryType::Heap).bound_extent(s.block, 1).vectorize(s.lane);
  }
  s.gradient_columns.compute_at(s.total, blocks.x).bound_extent(s.co, problem.out_c).bound_extent(s.i, n);
  s.gradient_columns.bound_extent(s.x, columns_of_gradient(problem)).bound_extent(s.ty, problem.y.tiles());
  s.gradient_columns.reorder_storage(s.lane, s.co, s.x, s.ty, s.i, s.block);
  s.gradient_columns.reorder(s.lane, s.i, s.co, s.x, s.ty).unroll(s.i);
  s.input_columns.compute_at(s.total, blocks.x).bound_extent(s.ci, problem.in_c).bound_extent(s.i, n);
  s.input_columns.bound_extent(s.x, columns_of_input(problem)).bound_extent(s.ty, problem.y.tiles());
  s.input_columns.reorder_storage(s.lane, s.ci, s.x, s.ty, s.i, s.block);
  s.input_columns.reorder(s.lane, s.i, s.ci, s.x, s.ty).unroll(s.i);
  s.output.compute_at(s.rows, s.i).bound_extent(s.co, problem.out_c).bound_extent(s.i, 1).bound_extent(s.j, n);
  s.output.reorder_storage(s.lane, s.co, s.t, s.j, s.i, s.block).reorder(s.lane, s.j, s.co, s.t).unroll(s.j);
  s.input.compute_at(s.rows, s.i).bound_extent(s.ci, problem.in_c).bound_extent(s.i, 1).bound_extent(s.j, n);
  s.input.reorder_storage(s.lane, s.ci, s.t, s.j, s.i, s.block).reorder(s.lane, s.j, s.ci, s.t).unroll(s.j);
}

void schedule_sums(Stages& s, const WinogradWeightGradient& problem, const Knobs& knobs, int images,
                   const RDom& blocks) {
  const auto channels = static_cast<int>(knobs.at("channels")), inputs = static_cast<int>(knobs.at("inputs"));
  const int n = problem.points(), taps = problem.taps, lanes = static_cast<int>(largest_divisor(problem.out_c, images));
  Var oi("oi"), ii("ii");
  for (Func* stage : {&s.sums, &s.products, &s.rows, &s.taps}) stage->bound_extent(s.block, 1);
  s.products.compute_at(s.rows, s.i).store_in(MemoryType::Heap).bound_extent(s.co, problem.out_c);
  s.products.bound_extent(s.ci, problem.in_c).bound_extent(s.i, 1).bound_extent(s.j, n).vectorize(s.co, lanes);
  Halide::Stage update = s.products.update();
  update.split(s.co, s.co, oi, channels).split(s.ci, s.ci, ii, inputs);
  update.reorder(s.across.x, oi, ii, s.ci, s.co, s.j).unroll(ii).vectorize(oi);
  update.atomic().vectorize(s.across.x, images);
  s.sums.compute_at(s.products, s.ci).store_in(MemoryType::Register).bound_extent(s.lane, images);
  s.sums.bound_extent(s.ci, inputs).bound_extent(s.co, channels).bound_extent(s.j, 1).bound_extent(s.i, 1);
  s.sums.vectorize(s.lane).unroll(s.ci).unroll(s.co);
  s.sums.update().reorder(s.lane, s.ci, s.co, s.tile.x).vectorize(s.lane).unroll(s.ci).unroll(s.co);
  s.rows.compute_at(s.total, blocks.x).store_in(MemoryType::Heap).bound_extent(s.co, problem.out_c);
  s.rows.bound(s.kx, 0, taps).bound_extent(s.ci, problem.in_c).bound_extent(s.i, n).vectorize(s.co, lanes);
  s.rows.reorder(s.co, s.kx, s.ci, s.i).unroll(s.kx);
  s.taps.compute_at(s.total, s.kx).store_in(MemoryType::Stack).bound_extent(s.co, problem.out_c).bound(s.ky, 0, taps);
  s.taps.vectorize(s.co, lanes).reorder(s.co, s.ky).unroll(s.ky);
  s.total.compute_root().vectorize(s.co, lanes);
  s.total.update().reorder(s.co, s.ky, s.kx, s.ci, blocks.x, s.chunk).vectorize(s.co, lanes).parallel(s.chunk);
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const WinogradWeightGradient problem = problem_of(kernel, knobs.at("tile"));
  const int images = target.vector_lanes;
  Body body = make_body(kernel);
  Stages s = make_stages(body, problem, images);
  const BlockRows blocks = block_rows(body, 1, s.chunk, kChunks);
  s.total(s.co, s.kx, s.ky, s.ci, s.chunk) = 0.0f;
  s.total(s.co, s.kx, s.ky, s.ci, s.chunk) += s.taps(s.co, s.kx, s.ky, s.ci, blocks.row);
  Func gradient("gradient");
  Expr sum = s.total(s.co, s.kx, s.ky, s.ci, 0);
  for (int chunk = 1; chunk < kChunks; ++chunk) sum += s.total(s.co, s.kx, s.ky, s.ci, chunk);
  gradient(s.kx, s.ky, s.ci, s.co) = sum;
  set_anchor(body, {gradient});
  const std::vector<Func> outputs = make_outputs(body);
  schedule_operands(s, problem, blocks.r);
  schedule_sums(s, problem, knobs, images, blocks.r);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::conv2d_backward_weights_winograd_images = {
    .name = "conv2d_backward_weights_winograd_images",
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
