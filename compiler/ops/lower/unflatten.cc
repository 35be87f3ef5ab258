// unflatten: from channel first.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Func;

std::vector<Func> lower_unflatten(const NodeView& node, const LowerInputs& inputs) {
  const auto h = static_cast<int>(node.results[0].dims[1]), w = static_cast<int>(node.results[0].dims[2]);
  return elementwise(node, [&](const Place& at) { return inputs.funcs[0]((at[0] * h + at[2]) * w + at[1], at[3]); });
}

}  // namespace convoke
