// conv2d_images: convolutions and their data gradients where images lie innermost. A vector is one pixel of one channel
// of a block of images; a tile of accumulators is a few channels times a few pixels of one row. Each step of the sum
// loads the pixels' vectors and broadcasts a weight a channel, so that any number of channels fills the lanes. Taps on
// padding are skipped as in conv2d_direct. Strided data gradients are not of this form.
#include "schedules/templates/body.h"
#include "schedules/templates/conv2d_taps.h"
#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kMaxUnrolledColumns = 16;  // of the kernel
constexpr int kMaxChannels = 8, kMaxPixels = 16;
constexpr int kWholeRow = 14, kOfRow = 8;  // pixels of a tile by default, at most
constexpr int kRows = 8;                   // of a task, at most

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = as_tapped(kernel);
  return problem && lies_in_blocks(kernel, target) && problem->groups == 1 && problem->x.phases == 1 &&
         problem->y.phases == 1 && problem->x.kernel <= kMaxUnrolledColumns && has_one_output_shape(kernel);
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec&) {
  const TappedConv2d problem = *as_tapped(kernel);
  return {{"channels", divisors(problem.made, kMaxChannels)},
          {"pixels", divisors(problem.x.out, kMaxPixels)},
          {"rows", divisors(problem.y.out, kRows)}};
}

int registers(const Knobs& knobs) {
  const auto channels = static_cast<int>(knobs.at("channels")), pixels = static_cast<int>(knobs.at("pixels"));
  return channels * pixels + std::min(channels, pixels) + 1;
}

// Neighbouring pixels share what their taps load, and in a whole row all taps on padding are known. So a tile is a
// short row or some pixels of a long one, and as many channels as stay in registers.
Knobs defaults(const Kernel& kernel, BatchClass, const TargetSpec& target) {
  const TappedConv2d problem = *as_tapped(kernel);
  const int width = problem.x.out;
  Knobs tile = {{"channels", 1},
                {"pixels", width <= kWholeRow ? width : largest_divisor(width, kOfRow)},
                {"rows", largest_divisor(problem.y.out, kRows)}};
  for (int64_t channels : divisors(problem.made, kMaxChannels)) {
    Knobs larger = tile;
    larger["channels"] = channels;
    if (registers(larger) <= target.vector_registers) tile = larger;
  }
  return tile;
}

// acc(lane, c, x, y, block)
Func accumulate_taps(const Body& body, const TappedConv2d& problem, int images, const RDom& r) {
  const Func &source = anchor_operand(body, 0), &weight = anchor_operand(body, 1);
  Var lane("lane"), c("c"), x("x"), y("y"), block("block");
  const Expr ix = problem.x.position(x, r.y), iy = problem.y.position(y, r.z);
  Expr value =
      source(r.x, clamp(ix, 0, problem.x.source - 1), clamp(iy, 0, problem.y.source - 1), block * images + lane);
  if (problem.x.may_miss()) value = select(likely(ix >= 0 && ix < problem.x.source), value, 0.0f);
  Func acc("acc");
  acc(lane, c, x, y, block) = 0.0f;
  acc(lane, c, x, y, block) += value * (problem.is_forward ? weight(r.y, r.z, r.x, c) : weight(r.y, r.z, c, r.x));
  return acc;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec&) {
  const TappedConv2d problem = *as_tapped(kernel);
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int images = static_cast<int>(image_block(kernel));
  Body body = make_body(kernel);
  RDom r(0, problem.summed, 0, problem.x.kernel, 0, problem.y.kernel, "r");
  Var c("c"), x("x"), y("y"), n("n");
  const Expr at_y = problem.y.position(y, r.z);
  if (problem.y.may_miss()) r.where(at_y >= 0 && at_y < problem.y.source);
  Func acc = accumulate_taps(body, problem, images, r), result("result");
  Expr value = acc(n % images, c, x, y, n / images);
  if (problem.has_bias) value += anchor_operand(body, 2)(c);
  result(c, x, y, n) = value;
  set_anchor(body, {result});
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  const std::vector<Var> at = out.args();  // lane, c, x, y, block
  Var co("co"), ci("ci"), xo("xo"), xi("xi"), yo("yo"), yi("yi"), task("task");
  out.bound(at[1], 0, problem.made).bound(at[2], 0, problem.x.out).bound(at[3], 0, problem.y.out);
  out.split(at[1], co, ci, knob("channels"))
      .split(at[2], xo, xi, knob("pixels"))
      .split(at[3], yo, yi, knob("rows"))
      .reorder(at[0], ci, xi, xo, co, yi, yo, at[4])
      .vectorize(at[0])
      .unroll(ci)
      .unroll(xi)
      .fuse(yo, at[4], task)
      .parallel(task);
  const std::vector<Var> sums = acc.args();
  acc.bound_extent(sums[0], images)
      .bound_extent(sums[1], knob("channels"))
      .bound_extent(sums[2], knob("pixels"))
      .compute_at(out, xo)
      .store_in(Halide::MemoryType::Register)
      .vectorize(sums[0])
      .unroll(sums[1])
      .unroll(sums[2])
      .update()
      .reorder(sums[0], sums[1], sums[2], r.x, r.y, r.z)
      .vectorize(sums[0])
      .unroll(sums[1])
      .unroll(sums[2])
      .unroll(r.y);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::conv2d_images = {.name = "conv2d_images",
                                                   .applies = applies,
                                                   .knobs = knobs,
                                                   .defaults = defaults,
                                                   .layouts = plain_layouts,
                                                   .build = build,
                                                   .registers = registers,
                                                   .takes_images = true};

}  // namespace convoke
