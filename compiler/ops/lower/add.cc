// add: x + y.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_add(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_binary(node, inputs, [](const Expr& x, const Expr& y) { return x + y; });
}

}  // namespace convoke
