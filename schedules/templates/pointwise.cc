// pointwise: kernels whose every output element is one expression of operands, by the definitions of their ops. Bound
// by memory: long vectors over what is contiguous, chunks of some 64 KB as tasks. Dimensions that all operands share
// are one loop (in NHWC with an odd number of channels, too); a vector per channel keeps channels a loop of their own,
// and where they are few a pair of pixels inside it computes what depends on the channel once.
#include <algorithm>

#include "schedules/templates/definition.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Func, Halide::MemoryType, Halide::TailStrategy, Halide::Var;

constexpr int64_t kTaskElems = 16384;
constexpr int64_t kPairedElems = 64;
constexpr int64_t kTinyElems = 2048;  // of vectors per channel, which `small` does as well

bool applies(const Kernel& kernel, const TargetSpec&) {
  const Graph& body = kernel.body;
  for (ValueId output : body.outputs) {
    if (body.type(output).dims != body.type(body.outputs[0]).dims) return false;
  }
  for (const Layout& layout : kernel.output_layouts) {
    if (layout != kernel.output_layouts[0]) return false;
  }
  const Type& type = body.type(body.outputs[0]);
  return (type.has_batch() || type.elems() > kTinyElems) && is_pure(kernel);
}

// How many of the innermost dimensions in memory every operand sees as one: all of them, unless an operand is a vector
// (per channel: innermost of an activation, outermost of a weight), lies differently, or the anchor moves elements.
int shared_dims(const Kernel& kernel) {
  const Type& type = kernel.body.type(kernel.body.outputs[0]);
  const Layout& layout = kernel.output_layouts[0];
  int shared = static_cast<int>(memory_extents(type, layout).size());
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& operand = kernel.body.type(kernel.inputs[i]);
    if (operand.dims.empty()) continue;
    if (operand.dims == type.dims && kernel.input_layouts[i] == layout) continue;
    const bool outermost = operand.rank() == 1 && !type.has_batch() && layout.plain();
    shared = std::min(shared, outermost ? type.rank() - 1 : 1);
  }
  return kernel.anchor == kNoAnchor ? std::max(shared, 1) : 1;
}

Var fuse_all(Func& func, const std::vector<Var>& vars, const std::string& name) {
  Var fused = vars[0];
  for (size_t i = 1; i < vars.size(); ++i) {
    Var next(name + std::to_string(i));
    func.fuse(fused, vars[i], next);
    fused = next;
  }
  return fused;
}

// Elements of the dimensions [first, last), a batch counted as one.
int64_t elems(const std::vector<int64_t>& extents, size_t first, size_t last) {
  int64_t product = 1;
  for (size_t d = first; d < last; ++d) product *= extents[d] == kBatch ? 1 : extents[d];
  return product;
}

// One flat loop in chunks. Returns the loop around a vector.
Var schedule_flat(Func& output, const std::vector<int64_t>& extents, int lanes) {
  Var flat = fuse_all(output, output.args(), "flat"), chunk("chunk"), vector("vector"), lane("lane");
  const int64_t total = elems(extents, 0, extents.size());
  if (extents.back() == kBatch || total >= 2 * kTaskElems) {
    output.split(flat, chunk, flat, static_cast<int>(kTaskElems), TailStrategy::GuardWithIf).parallel(chunk);
  }
  output.split(flat, vector, lane, lanes, TailStrategy::GuardWithIf).vectorize(lane);
  return vector;
}

// Inner dimensions × outer ones: vectors over the first, tasks over the second.
Var schedule_rows(Func& output, const std::vector<int64_t>& extents, size_t shared, int lanes) {
  const std::vector<Var> vars = output.args();
  const auto split = vars.begin() + static_cast<int64_t>(shared);
  Var inner = fuse_all(output, {vars.begin(), split}, "inner"), outer = fuse_all(output, {split, vars.end()}, "outer");
  const int64_t inner_elems = elems(extents, 0, shared), outer_elems = elems(extents, shared, extents.size());
  // Two short pixels share what depends on the channel. Of longer ones that is two streams an operand: in ResNet-50
  // these took 2 to 4 times as long where tensors leave the caches.
  const int tile = outer_elems % 2 == 0 && inner_elems <= kPairedElems ? 2 : 1;
  Var task("task"), pixel("pixel"), vector("vector"), lane("lane");
  output.split(outer, outer, pixel, tile, TailStrategy::GuardWithIf)
      .split(inner, vector, lane, lanes, TailStrategy::GuardWithIf)
      .reorder(lane, pixel, vector, outer)
      .vectorize(lane);
  if (tile > 1) output.unroll(pixel);
  if (extents.back() == kBatch || inner_elems * outer_elems >= 2 * kTaskElems) {
    const int64_t tiles = std::max<int64_t>(1, kTaskElems / (inner_elems * tile));
    output.split(outer, task, outer, static_cast<int>(tiles), TailStrategy::GuardWithIf).parallel(task);
  }
  return pixel;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  Body body = make_body(kernel);
  lower_anchor(body);
  Func joined = join_outputs(body);
  std::vector<Func> outputs = make_outputs(body);
  Func& output = outputs[0];
  const std::vector<int64_t> extents =
      memory_extents(kernel.body.type(kernel.body.outputs[0]), kernel.output_layouts[0]);
  // Held results are a vector of one dimension.
  const size_t shared = joined.defined() ? 1 : static_cast<size_t>(shared_dims(kernel));
  Var around;
  if (shared == extents.size()) {
    const int64_t total = extents.back() == kBatch ? target.vector_lanes : elems(extents, 0, shared);
    around = schedule_flat(output, extents, lanes_for(total, target));
  } else {
    around = schedule_rows(output, extents, shared, lanes_for(elems(extents, 0, shared), target));
  }
  if (joined.defined()) {
    joined.compute_at(output, around).store_in(MemoryType::Register);
    joined.vectorize(joined.args()[0], target.vector_lanes, TailStrategy::GuardWithIf);
  }
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::pointwise = {"pointwise", applies, no_knob_ranges, no_knobs, plain_layouts, build};

}  // namespace convoke
