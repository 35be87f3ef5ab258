// small: any kernel, by the definitions of its ops. Right for everything, meant for tiny layers and odd shapes;
// reductions are kept a row of the output at a time, so that no scratch grows with the batch.
#include "schedules/templates/definition.h"

namespace convoke {
namespace {

using Halide::Func, Halide::TailStrategy, Halide::Var;

constexpr int64_t kParallelNs = 2000;  // work of one image that is worth a task

bool applies(const Kernel&, const TargetSpec&) { return true; }

// The loop around a row of an output: over y of an image, over n of a vector.
Var row_var(const Func& output) { return output.args()[std::min(2, output.dimensions() - 1)]; }

void vectorize_inner(Func& func, int64_t extent, const TargetSpec& target) {
  if (extent < 4) return;
  const Var inner = func.args()[0];
  const int lanes = lanes_for(extent, target);
  func.vectorize(inner, lanes, TailStrategy::Predicate);
}

// A row at a time where the outputs have a batch; else the accumulators of the result itself at the root, whose size is
// constant, and what they read is recomputed where it is used.
void place_reductions(const Kernel& kernel, const std::vector<Func>& outputs) {
  const Type& type = kernel.body.type(kernel.body.outputs[0]);
  for (Func& reduction : reductions(outputs)) {
    if (!type.has_batch() && reduction.dimensions() <= type.rank()) reduction.compute_root();
    if (type.has_batch() && outputs.size() == 1) reduction.compute_at(outputs[0], row_var(outputs[0]));
  }
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  Body body = make_body(kernel);
  lower_anchor(body);
  std::vector<Func> outputs = make_outputs(body);
  place_reductions(kernel, outputs);
  int index = 0;
  for (Func& output : outputs) {
    const std::vector<int64_t> extents =
        memory_extents(kernel.body.type(kernel.body.outputs[index]), kernel.output_layouts[index]);
    index += output.outputs();
    if (extents.empty() || extents[0] == kBatch) continue;
    vectorize_inner(output, extents[0], target);
    const bool large = estimated_work(kernel).ns_per_sample >= kParallelNs;
    if (extents.back() == kBatch && large) output.parallel(output.args().back());
  }
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::small = {"small", applies, no_knob_ranges, no_knobs, plain_layouts, build};

}  // namespace convoke
