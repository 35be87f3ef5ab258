// cross_entropy_backward: dloss/n·(softmax − target).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_cross_entropy_backward(const NodeView& node, const LowerInputs& inputs) {
  const auto k = static_cast<int>(node.inputs[0].dims[1]);
  const auto smoothing = static_cast<float>(attr_float(node.attrs, "label_smoothing"));
  const Func &x = inputs.funcs[0], &labels = inputs.funcs[1];
  Var n("n"), i("i");
  RDom r(0, k);
  Func most("most"), sum("sum"), log_sum("log_sum");
  most(n) = x(0, n);
  most(n) = max(most(n), x(r, n));
  sum(n) = 0.0f;
  sum(n) += exp(x(r, n) - most(n));
  log_sum(n) = most(n) + log(sum(n));
  Func dx("cross_entropy_backward");
  const Expr scale = inputs.funcs[2]() / Halide::cast<float>(inputs.batch);
  const Expr target = select(labels(n) == i, 1.0f - smoothing, 0.0f) + smoothing / static_cast<float>(k);
  dx(i, n) = scale * (exp(x(i, n) - log_sum(n)) - target);
  return {dx};
}

}  // namespace convoke
