// batch_norm2d_backward_data: weight/√(variance + ε)·(dy − dbias/m − x̂·dweight/m).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_batch_norm2d_backward_data(const NodeView& node, const LowerInputs& inputs) {
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto& f = inputs.funcs;
  const auto pixels = static_cast<float>(node.results[0].dims[1] * node.results[0].dims[2]);
  const Expr inverse_count = 1.0f / (pixels * Halide::cast<float>(inputs.batch));
  return elementwise(node, [&](const Place& at) {
    const Expr c = at[0], inverse = 1.0f / sqrt(f[4](c) + epsilon);
    const Expr normalised = (f[1](at) - f[3](c)) * inverse;
    return f[2](c) * inverse * (f[0](at) - f[6](c) * inverse_count - normalised * (f[5](c) * inverse_count));
  });
}

}  // namespace convoke
