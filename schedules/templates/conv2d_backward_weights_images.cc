// conv2d_backward_weights_images: weight gradients where images lie innermost (images.h). A vector is one pixel of one
// channel of a block of images. Accumulators are the taps of a kernel's row for a few input and output channels; they
// sum a row of the output gradient, and are then added to the task's sums.
#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/weight_gradient.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::RVar, Halide::Var;

constexpr int kTasks = 8;  // that are enough; more come of the channels alone
constexpr int kMaxPixels = 10, kMaxChannels = 4, kMaxTaps = 12;
constexpr int kHidingAccumulators = 10;  // independent FMAs that hide the latency of one, with some to spare

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = as_weight_gradient(kernel);
  return problem && lies_in_blocks(kernel, target) && problem->groups == 1 && problem->x.kernel <= kMaxTaps;
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec&) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  return {{"channels", divisors(problem.out_c, kMaxChannels)},
          {"inputs", divisors(problem.in_c, kMaxChannels)},
          {"pixels", divisors(problem.x.out, kMaxPixels)}};
}

// The least that divides `channels` and makes accumulators enough, or all that there are.
int64_t channels_for(int64_t channels, int64_t wanted) {
  const std::vector<int64_t> candidates = divisors(channels, kMaxChannels);
  const auto enough = std::ranges::find_if(candidates, [&](int64_t c) { return c >= wanted; });
  return enough == candidates.end() ? candidates.back() : *enough;
}

// Input channels first: the sums of few output channels stay in the L1 cache.
Knobs defaults(const Kernel& kernel, BatchClass, const TargetSpec&) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  const int taps = problem.x.kernel;
  const int64_t inputs = channels_for(problem.in_c, ceil_div(kHidingAccumulators, taps));
  const int64_t channels = channels_for(problem.out_c, ceil_div(kHidingAccumulators, taps * inputs));
  return {{"channels", channels}, {"inputs", inputs}, {"pixels", largest_divisor(problem.x.out, kMaxPixels)}};
}

// The source's pixel under tap k of output pixel o.
Expr position(const TappedAxis& axis, const Expr& o, const Expr& k) {
  return o * axis.stride + k * axis.dilation - axis.padding;
}

// Σ over the pixels x of a row: line(lane, kx, ky, ci, co, row).
Func sum_line(const Body& body, const WeightGradient& problem, int images, const RDom& pixel) {
  const Func &dy = anchor_operand(body, 0), &source = anchor_operand(body, 1);
  Var lane("lane"), kx("kx"), ky("ky"), ci("ci"), co("co"), row("row");
  const TappedAxis &ax = problem.x, &ay = problem.y;
  const Expr y = row % ay.out, n = row / ay.out * images + lane;
  const Expr ix = position(ax, pixel.x, kx), iy = position(ay, y, ky);
  Expr value = source(ci, clamp(ix, 0, ax.in - 1), clamp(iy, 0, ay.in - 1), n);
  if (ax.has_padding()) value = select(likely(ix >= 0 && ix < ax.in), value, 0.0f);
  Func line("line");
  line(lane, kx, ky, ci, co, row) = 0.0f;
  line(lane, kx, ky, ci, co, row) += value * dy(co, pixel.x, y, n);
  return line;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec&) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  const int images = static_cast<int>(image_block(kernel));
  const auto channels = static_cast<int>(knobs.at("channels")), inputs = static_cast<int>(knobs.at("inputs"));
  const auto pixels = static_cast<int>(knobs.at("pixels"));
  const int chunks = ceil_div(kTasks, problem.out_c / channels);
  Body body = make_body(kernel);
  RDom pixel(0, problem.x.out, "pixel");
  Func line = sum_line(body, problem, images, pixel), sums("sums");
  Var lane("lane"), kx("kx"), ky("ky"), ci("ci"), co("co"), chunk("chunk"), tile("tile"), input("input"), task("task");
  BlockRows rows = block_rows(body, problem.y.out, chunk, chunks);
  const Expr iy = position(problem.y, rows.row % problem.y.out, ky);
  if (problem.y.has_padding()) rows.r.where(iy >= 0 && iy < problem.y.in);
  sums(lane, kx, ky, ci, co, chunk) = 0.0f;
  sums(lane, kx, ky, ci, co, chunk) += line(lane, kx, ky, ci, co, rows.row);
  set_anchor(body, {all_taps(problem, add_lanes(sums, images, chunks))});
  std::vector<Func> outputs = make_outputs(body);

  sums.compute_root().store_in(Halide::MemoryType::Heap).vectorize(lane, images);
  sums.update()
      .split(co, tile, co, channels)
      .split(ci, input, ci, inputs)
      .reorder(lane, kx, co, ci, ky, input, rows.r, tile, chunk)
      .vectorize(lane, images)
      .unroll(kx)
      .unroll(co)
      .unroll(ci)
      .fuse(tile, chunk, task)
      .parallel(task);
  const std::vector<Var> at = line.args();
  line.compute_at(sums, ky).store_in(Halide::MemoryType::Register).bound_extent(at[0], images);
  line.bound_extent(at[2], 1)
      .bound_extent(at[5], 1)
      .bound_extent(at[1], problem.x.kernel)
      .bound_extent(at[3], inputs)
      .bound_extent(at[4], channels);
  line.vectorize(at[0]).unroll(at[1]).unroll(at[3]).unroll(at[4]);
  RVar few("few");
  line.update()
      .split(pixel.x, pixel.x, few, pixels)
      .reorder(at[0], at[1], at[3], at[4], few, pixel.x)
      .vectorize(at[0])
      .unroll(at[1])
      .unroll(at[3])
      .unroll(at[4])
      .unroll(few);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::conv2d_backward_weights_images = {.name = "conv2d_backward_weights_images",
                                                                    .applies = applies,
                                                                    .knobs = knobs,
                                                                    .defaults = defaults,
                                                                    .layouts = plain_layouts,
                                                                    .build = build,
                                                                    .takes_images = true};

}  // namespace convoke
