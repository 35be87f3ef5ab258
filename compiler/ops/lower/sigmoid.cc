// sigmoid: 1/(1 + e^-x).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_sigmoid(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_unary(node, inputs, [](const Expr& x) { return 1.0f / (1.0f + exp(-x)); });
}

}  // namespace convoke
