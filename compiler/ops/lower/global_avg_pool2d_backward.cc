// global_avg_pool2d_backward: dx(c,x,y,n) = dy(c,0,0,n)/(h·w).
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Func, Halide::Var;

std::vector<Func> lower_global_avg_pool2d_backward(const NodeView& node, const LowerInputs& inputs) {
  const auto h = static_cast<float>(node.results[0].dims[1]), w = static_cast<float>(node.results[0].dims[2]);
  Var c("c"), x("x"), y("y"), n("n");
  Func dx("global_avg_pool2d_backward");
  dx(c, x, y, n) = inputs.funcs[0](c, 0, 0, n) * (1.0f / (h * w));
  return {dx};
}

}  // namespace convoke
