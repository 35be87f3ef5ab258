// channel_sum: sum(c) = Σ over x, y, n.
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_channel_sum(const NodeView& node, const LowerInputs& inputs) {
  const Type& type = node.inputs[0];
  const Func& x = inputs.funcs[0];
  Var c("c");
  Func sum("channel_sum");
  sum(c) = 0.0f;
  if (type.rank() == 2) {
    RDom r(0, inputs.batch);
    sum(c) += x(c, r.x);
  } else {
    RDom r(0, static_cast<int>(type.dims[2]), 0, static_cast<int>(type.dims[1]), 0, inputs.batch);
    sum(c) += x(c, r.x, r.y, r.z);
  }
  return {sum};
}

}  // namespace convoke
