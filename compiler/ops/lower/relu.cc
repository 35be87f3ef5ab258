// relu: max(x, 0).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_relu(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_unary(node, inputs, [](const Expr& x) { return max(x, 0.0f); });
}

}  // namespace convoke
