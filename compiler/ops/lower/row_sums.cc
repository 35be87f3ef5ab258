// row_sums: the first pixel of a row, the sums of distances from it, and those of their squares.
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_row_sums(const NodeView& node, const LowerInputs& inputs) {
  const Func& x = inputs.funcs[0];
  Var c("c"), p("x"), y("y"), n("n");
  RDom r(0, static_cast<int>(node.inputs[0].dims[2]));
  Func first("first"), sums("row_sums"), squares("row_squares");
  const Expr distance = x(c, r, y, n) - x(c, 0, y, n);
  first(c, p, y, n) = x(c, 0, y, n);
  sums(c, p, y, n) += distance;
  squares(c, p, y, n) += distance * distance;
  return {first, sums, squares};
}

}  // namespace convoke
