// linear_backward_weights: dw(k,o) = Σ_n dy(o,n)·x(k,n); of an image feature k is channel k/(h·w) of pixel k mod (h·w).
#include "compiler/ops/linear.h"
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_linear_backward_weights(const NodeView& node, const LowerInputs& inputs) {
  const Linear linear = *as_linear_backward_weights(node);
  const auto w = static_cast<int>(linear.in_size.w), area = static_cast<int>(linear.in_size.area());
  const Func &dy = inputs.funcs[0], &input = inputs.funcs[1];
  Var k("k"), o("o");
  RDom r(0, inputs.batch);
  Func dw("linear_backward_weights");
  const Expr x = linear.is_image ? input(k / area, k % area % w, k % area / w, r) : input(k, r);
  dw(k, o) = 0.0f;
  dw(k, o) += dy(o, r) * x;
  return {dw};
}

}  // namespace convoke
