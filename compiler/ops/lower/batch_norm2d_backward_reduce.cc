// batch_norm2d_backward_reduce: Σ dy·x̂ and Σ dy over x, y, n.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_batch_norm2d_backward_reduce(const NodeView& node, const LowerInputs& inputs) {
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto& f = inputs.funcs;
  const auto h = static_cast<int>(node.inputs[0].dims[1]), w = static_cast<int>(node.inputs[0].dims[2]);
  RDom r(0, w, 0, h, 0, inputs.batch);
  Var c("c");
  Func weight("dweight"), bias("dbias");
  const Expr dy = f[0](c, r.x, r.y, r.z);
  weight(c) = 0.0f;
  weight(c) += dy * (f[1](c, r.x, r.y, r.z) - f[2](c)) * (1.0f / sqrt(f[3](c) + epsilon));
  bias(c) = 0.0f;
  bias(c) += dy;
  return {weight, bias};
}

}  // namespace convoke
