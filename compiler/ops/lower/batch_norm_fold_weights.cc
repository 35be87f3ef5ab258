// batch_norm_fold_weights: w·weight/√(variance + ε), by the output channel.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Func;

std::vector<Func> lower_batch_norm_fold_weights(const NodeView& node, const LowerInputs& inputs) {
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto& f = inputs.funcs;
  return elementwise(node, [&](const Place& at) { return f[0](at) * (f[1](at[3]) / sqrt(f[2](at[3]) + epsilon)); });
}

}  // namespace convoke
