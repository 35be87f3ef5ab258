// relu_backward: dy where y > 0.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_relu_backward(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_binary(node, inputs, [](const Expr& dy, const Expr& y) { return select(y > 0.0f, dy, 0.0f); });
}

}  // namespace convoke
