// batch_norm2d_backward_reduce: dweight = (Σ dy·(x − mean))/√(variance + ε), dbias = Σ dy.
#include "compiler/ops/lower/batch_norm.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

std::vector<Func> lower_batch_norm2d_backward_reduce(const NodeView& node, const LowerInputs& inputs) {
  const Func &dy = inputs.funcs[0], &x = inputs.funcs[1], &mean = inputs.funcs[2], &variance = inputs.funcs[3];
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  Var c("c");
  Func dweight("dweight"), dbias("dbias");
  const Func products = sum_over_pixels(
      "dweight_sum", node.inputs[0], inputs.batch,
      [&](Expr k, Expr px, Expr py, Expr n) -> Expr { return dy(k, px, py, n) * (x(k, px, py, n) - mean(k)); });
  const Func sum = sum_over_pixels("dbias_sum", node.inputs[0], inputs.batch,
                                   [&](Expr k, Expr px, Expr py, Expr n) -> Expr { return dy(k, px, py, n); });
  dweight(c) = products(c) / sqrt(variance(c) + epsilon);
  dbias(c) = sum(c);
  return {dweight, dbias};
}

}  // namespace convoke
