// batch_norm2d: (x − mean)·scale + bias, scale = weight/√(variance + ε).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_batch_norm2d(const NodeView& node, const LowerInputs& inputs) {
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto& f = inputs.funcs;
  return elementwise(node, [&](const Place& at) {
    const Expr c = at[0];
    return (f[0](at) - f[3](c)) * (f[1](c) / sqrt(f[4](c) + epsilon)) + f[2](c);
  });
}

}  // namespace convoke
