// batch_norm2d_train: the batch's moments, then the normalisation by them.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_batch_norm2d_train(const NodeView& node, const LowerInputs& inputs) {
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  Var c("c");
  Func mean("mean"), variance("variance");
  const Func& x = inputs.funcs[0];
  const auto h = static_cast<int>(node.inputs[0].dims[1]), w = static_cast<int>(node.inputs[0].dims[2]);
  RDom r(0, w, 0, h, 0, inputs.batch);
  const Expr inverse_count = 1.0f / Halide::cast<float>(inputs.batch * (h * w));
  mean(c) = 0.0f;
  mean(c) += x(c, r.x, r.y, r.z) * inverse_count;
  variance(c) = 0.0f;
  const Expr centred = x(c, r.x, r.y, r.z) - mean(c);
  variance(c) += centred * centred * inverse_count;
  const auto& f = inputs.funcs;
  Func y = elementwise(node, [&](const Place& at) {
    return (x(at) - mean(at[0])) * (f[1](at[0]) / sqrt(variance(at[0]) + epsilon)) + f[2](at[0]);
  })[0];
  return {y, mean, variance};
}

}  // namespace convoke
