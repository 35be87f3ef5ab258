// channel_moments: mean, then the mean of (x − mean)².
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_channel_moments(const NodeView& node, const LowerInputs& inputs) {
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
  return {mean, variance};
}

}  // namespace convoke
