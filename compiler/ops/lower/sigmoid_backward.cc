// sigmoid_backward: dy·y·(1 − y).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_sigmoid_backward(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_binary(node, inputs, [](const Expr& dy, const Expr& y) { return dy * y * (1.0f - y); });
}

}  // namespace convoke
