// global_avg_pool2d: y(c,0,0,n) = Σ_{x,y} x(c,x,y,n)/(h·w).
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_global_avg_pool2d(const NodeView& node, const LowerInputs& inputs) {
  const auto h = static_cast<int>(node.inputs[0].dims[1]), w = static_cast<int>(node.inputs[0].dims[2]);
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, w, 0, h);
  Func out("global_avg_pool2d");
  out(c, x, y, n) = 0.0f;
  out(c, x, y, n) += inputs.funcs[0](c, r.x, r.y, n) * (1.0f / (static_cast<float>(h) * static_cast<float>(w)));
  return {out};
}

}  // namespace convoke
