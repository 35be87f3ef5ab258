// window: maximum poolings, forward and backward, by the definitions of their ops. With whole vectors of channels the
// windows of a vector accumulate in registers, their taps unrolled; with other numbers of channels a row of the output
// accumulates as one flat vector of channels and pixels. Tasks are images.
#include <algorithm>

#include "compiler/ops/pool2d.h"
#include "schedules/templates/definition.h"

namespace convoke {
namespace {

using Halide::Func, Halide::MemoryType, Halide::RVar, Halide::TailStrategy, Halide::Var, Halide::VarOrRVar;

constexpr int64_t kUnrolledTaps = 9;

// Averages are left to `small`: as flat vectors their divisors cost LLVM minutes.
std::optional<Pool2d> as_pool(const NodeView& node) {
  for (auto as : {as_max_pool2d, as_max_pool2d_backward}) {
    if (std::optional<Pool2d> pool = as(node)) return pool;
  }
  return std::nullopt;
}

bool applies(const Kernel& kernel, const TargetSpec&) {
  if (kernel.anchor == kNoAnchor || !as_pool(anchor_view(kernel))) return false;
  const Graph& body = kernel.body;
  return std::ranges::all_of(body.outputs,
                             [&](ValueId output) { return body.type(output).dims == body.type(body.outputs[0]).dims; });
}

// The stage's loops over the output's dimensions first, over taps outside them.
std::vector<VarOrRVar> taps_outside(const Func& reduction, std::vector<VarOrRVar> inner) {
  for (const RVar& r : reduction.rvars()) inner.emplace_back(r);
  return inner;
}

void schedule_vectors(Func& output, std::vector<Func> windows, int lanes, int64_t taps) {
  const Var c = output.args()[0];
  Var vector("vector");
  output.split(c, vector, c, lanes).vectorize(c);
  for (Func& window : windows) {
    const Var inner = window.args()[0];
    window.compute_at(output, vector).store_in(MemoryType::Register).vectorize(inner, lanes);
    Halide::Stage update = window.update();
    update.reorder(taps_outside(window, {inner})).vectorize(inner, lanes);
    if (taps > kUnrolledTaps) continue;
    for (const RVar& r : window.rvars()) update.unroll(r);
  }
}

void schedule_rows(Func& output, std::vector<Func> windows, int lanes) {
  const auto flatten = [&](Halide::Stage stage, const std::vector<Var>& vars) {
    Var flat("flat");
    stage.fuse(vars[0], vars[1], flat).vectorize(flat, lanes, TailStrategy::GuardWithIf);
  };
  const std::vector<Var> vars = output.args();
  for (Func& window : windows) {
    const std::vector<Var> own = window.args();
    window.compute_at(output, vars[2]);
    flatten(window, own);
    window.update().reorder(taps_outside(window, {own[0], own[1]}));
    flatten(window.update(), own);
  }
  flatten(output, vars);
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  Body body = make_body(kernel);
  const Pool2d pool = *as_pool(anchor_view(kernel));
  lower_anchor(body);
  std::vector<Func> outputs = make_outputs(body);
  Func& output = outputs[0];
  const Type& type = kernel.body.type(kernel.body.outputs[0]);
  const std::vector<Func> windows = reductions(outputs);
  const std::vector<Var> vars = output.args();
  if (pool.c % target.vector_lanes == 0) {
    schedule_vectors(output, windows, target.vector_lanes, pool.window.kernel.area());
  } else {
    schedule_rows(output, windows, lanes_for(type.dims[2] * type.dims[3], target));
  }
  output.parallel(vars[3]);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::window = {"window", applies, no_knob_ranges, no_knobs, plain_layouts, build};

}  // namespace convoke
