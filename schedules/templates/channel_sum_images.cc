// channel_sum_images: gradients of biases where images lie innermost (images.h).
#include "compiler/ops/reduction.h"
#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Func, Halide::RDom, Halide::Var;

constexpr int kChunks = 16, kAccumulators = 8;

bool applies(const Kernel& kernel, const TargetSpec& target) {
  if (kernel.anchor == kNoAnchor || !lies_in_blocks(kernel, target)) return false;
  const auto reduction = as_reduction(anchor_view(kernel));
  return reduction && reduction->kind == Reduction::kSum;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec&) {
  const Reduction reduction = *as_reduction(anchor_view(kernel));
  const int images = static_cast<int>(image_block(kernel));
  Body body = make_body(kernel);
  const Func& source = anchor_operand(body, 0);
  const int h = static_cast<int>(reduction.h);
  Var lane("lane"), c("c"), row("row"), chunk("chunk"), co("co");
  Func line("line"), sums("sums");
  RDom x(0, static_cast<int>(reduction.w));
  line(lane, c, row) = 0.0f;
  line(lane, c, row) += source(c, x, row % h, row / h * images + lane);
  const BlockRows rows = block_rows(body, h, chunk, kChunks);
  sums(lane, c, chunk) = 0.0f;
  sums(lane, c, chunk) += line(lane, c, rows.row);
  set_anchor(body, {add_lanes(sums, images, kChunks)});
  std::vector<Func> outputs = make_outputs(body);

  const int channels = static_cast<int>(largest_divisor(reduction.c, kAccumulators));
  sums.compute_root().vectorize(lane, images);
  sums.update()
      .split(c, co, c, channels)
      .reorder(lane, c, co, rows.r, chunk)
      .vectorize(lane, images)
      .unroll(c)
      .parallel(chunk);
  line.compute_at(sums, co).store_in(Halide::MemoryType::Register).bound_extent(lane, images);
  line.bound_extent(c, channels).vectorize(lane).unroll(c);
  line.update().reorder(lane, c, x).vectorize(lane).unroll(c);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::channel_sum_images = {.name = "channel_sum_images",
                                                        .applies = applies,
                                                        .knobs = no_knob_ranges,
                                                        .defaults = no_knobs,
                                                        .layouts = plain_layouts,
                                                        .build = build,
                                                        .takes_images = true};

}  // namespace convoke
