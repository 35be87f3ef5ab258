// batch_norm_fold_bias: bias + (b − mean)·weight/√(variance + ε).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_batch_norm_fold_bias(const NodeView& node, const LowerInputs& inputs) {
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto& f = inputs.funcs;
  return elementwise(node, [&](const Place& at) {
    const Expr b = f.size() == 5 ? f[4](at) : Expr(0.0f);
    return f[1](at) + (b - f[2](at)) * (f[0](at) / sqrt(f[3](at) + epsilon));
  });
}

}  // namespace convoke
