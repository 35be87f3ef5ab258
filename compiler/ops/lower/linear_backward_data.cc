// linear_backward_data: dx(k,n) = Σ_o dy(o,n)·w(k,o); of an image dx(c,x,y,n) with k = (c·h + y)·w + x.
#include "compiler/ops/linear.h"
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_linear_backward_data(const NodeView& node, const LowerInputs& inputs) {
  const Linear linear = *as_linear_backward_data(node);
  const auto h = static_cast<int>(linear.in_size.h), w = static_cast<int>(linear.in_size.w);
  const Func &dy = inputs.funcs[0], &weight = inputs.funcs[1];
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, static_cast<int>(linear.out));
  Func dx("linear_backward_data");
  if (linear.is_image) {
    dx(c, x, y, n) = 0.0f;
    dx(c, x, y, n) += dy(r, n) * weight((c * h + y) * w + x, r);
  } else {
    dx(c, n) = 0.0f;
    dx(c, n) += dy(r, n) * weight(c, r);
  }
  return {dx};
}

}  // namespace convoke
