// reduce: kernels whose anchor reduces over pixels, over rows or over everything (reduce_parts.h): dispatch to its
// forms, and the schedules of outputs.
#include <algorithm>

#include "schedules/templates/reduce_parts.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Func, Halide::LoopLevel, Halide::TailStrategy, Halide::Var;

bool applies(const Kernel& kernel, const TargetSpec&) {
  if (kernel.anchor == kNoAnchor || !has_one_output_shape(kernel)) return false;
  const NodeView anchor = anchor_view(kernel);
  return as_reduction(anchor) || as_row_reduction(anchor);
}

constexpr int64_t kAhead = 4096;  // elements

bool has_batch(const Kernel& kernel) { return kernel.body.type(kernel.body.outputs[0]).has_batch(); }

// Outputs with a batch: the loop over rows, or over images, in tasks. `elems` of the operand make one of them.
void schedule_batch(Func& output, int64_t elems, const LoopLevel& at) {
  const std::vector<Var> vars = output.args();
  Var row = vars[1], task("task");
  for (size_t d = 2; d < vars.size(); ++d) {
    const Var fused("row" + std::to_string(d));
    output.fuse(row, vars[d], fused);
    row = fused;
  }
  const int rows = static_cast<int>(std::max<int64_t>(1, kTaskElems / elems));
  output.split(row, task, row, rows, TailStrategy::GuardWithIf).parallel(task);
  LoopLevel(at).set(LoopLevel(output, row));
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  Body body = make_body(kernel);
  const ReduceForm form{body, target};
  const auto reduction = as_reduction(anchor_view(kernel));
  const auto rows = as_row_reduction(anchor_view(kernel));
  LoopLevel at;
  if (reduction) {
    const bool images = reduction->kind == Reduction::kImageMean;
    set_anchor(body, images ? std::vector{reduce_images(form, *reduction, at)} : reduce_channels(form, *reduction));
  } else {
    set_anchor(body, {has_batch(kernel) ? transform_rows(form, *rows, at) : mean_of_rows(form, *rows)});
  }
  std::vector<Func> outputs = make_outputs(body);
  Func& output = outputs[0];
  if (output.dimensions() > 0) {
    const int64_t extent = kernel.body.type(kernel.body.outputs[0]).dims.back();
    const int lanes = lanes_of_channels(extent, target);
    output.vectorize(output.args()[0], lanes, tail_of(extent, lanes));
  }
  if (has_batch(kernel)) schedule_batch(output, reduction ? reduction->h * reduction->w * reduction->c : rows->k, at);
  BuiltKernel built = finish(body, outputs);
  if (reduction && reads_in_pieces(form, *reduction)) {
    built.streams = activation_streams(body, ceil_div(kAhead, reduction->c));
  }
  return built;
}

}  // namespace

const ScheduleTemplate templates::reduce = {"reduce", applies, no_knob_ranges, no_knobs, plain_layouts, build};

}  // namespace convoke
