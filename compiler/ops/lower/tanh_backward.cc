// tanh_backward: dy·(1 − y²).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_tanh_backward(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_binary(node, inputs, [](const Expr& dy, const Expr& y) { return dy * (1.0f - y * y); });
}

}  // namespace convoke
