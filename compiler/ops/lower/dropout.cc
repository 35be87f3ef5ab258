// dropout: x.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_dropout(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_unary(node, inputs, [](const Expr& x) { return x; });
}

}  // namespace convoke
