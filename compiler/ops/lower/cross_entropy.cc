// cross_entropy: in one pass over a row (M, Σ e^(x−M), Σ x), M the largest logit so far; then the mean over the rows of
// M + log Σ e^(x−M) − (1−s)·x(label) − s/k·Σ x.
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Tuple, Halide::Var;

std::vector<Func> lower_cross_entropy(const NodeView& node, const LowerInputs& inputs) {
  const Func &x = inputs.funcs[0], &labels = inputs.funcs[1];
  const auto smoothing = static_cast<float>(attr_float(node.attrs, "label_smoothing"));
  const auto classes = static_cast<int>(node.inputs[0].dims[1]);
  Var n("n");
  RDom k(0, classes), rows(0, inputs.batch);
  Func row("cross_entropy_row"), sum("cross_entropy_sum"), loss("cross_entropy");
  row(n) = Tuple(x(0, n), 0.0f, 0.0f);
  const Expr most = max(row(n)[0], x(k, n));
  row(n) = Tuple(most, row(n)[1] * exp(row(n)[0] - most) + exp(x(k, n) - most), row(n)[2] + x(k, n));
  const Expr log_sum = row(rows)[0] + log(row(rows)[1]);
  const Expr right = x(clamp(labels(rows), 0, classes - 1), rows);
  sum() += log_sum - (1.0f - smoothing) * right - smoothing / static_cast<float>(classes) * row(rows)[2];
  loss() = sum() / Halide::cast<float>(inputs.batch);
  return {loss};
}

}  // namespace convoke
