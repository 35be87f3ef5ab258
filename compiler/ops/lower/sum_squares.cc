// sum_squares: Σ x².
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom;

std::vector<Func> lower_sum_squares(const NodeView& node, const LowerInputs& inputs) {
  RDom r(0, static_cast<int>(node.inputs[0].dims[0]));
  const Expr x = inputs.funcs[0](r);
  Func sum("sum_squares");
  sum() = 0.0f;
  sum() += x * x;
  return {sum};
}

}  // namespace convoke
