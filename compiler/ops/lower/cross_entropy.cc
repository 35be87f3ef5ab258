// cross_entropy: the mean over n of (1 − s)·(lse − x_label) + s·(lse − mean x).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_cross_entropy(const NodeView& node, const LowerInputs& inputs) {
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
  Func mean("mean"), loss("cross_entropy");
  mean(n) = 0.0f;
  mean(n) += x(r, n) * (1.0f / static_cast<float>(k));
  RDom rows(0, inputs.batch);
  const Expr label = clamp(labels(rows), 0, k - 1);
  const Expr target = (1.0f - smoothing) * x(label, rows) + smoothing * mean(rows);
  loss() = 0.0f;
  loss() += (log_sum(rows) - target) / Halide::cast<float>(inputs.batch);
  return {loss};
}

}  // namespace convoke
