// flatten: channel first.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_flatten(const NodeView& node, const LowerInputs& inputs) {
  if (node.inputs[0].rank() == 2) return elementwise_unary(node, inputs, [](const Expr& x) { return x; });
  const auto h = static_cast<int>(node.inputs[0].dims[1]), w = static_cast<int>(node.inputs[0].dims[2]);
  return elementwise(
      node, [&](const Place& at) { return inputs.funcs[0](at[0] / (h * w), at[0] % w, at[0] / w % h, at[1]); });
}

}  // namespace convoke
