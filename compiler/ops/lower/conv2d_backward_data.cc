// conv2d_backward_data as a gather: dx(ci,x,y,n) = Σ_{kx,ky,co} dy(co, ox, oy, n)·w(kx,ky,ci,co) over the output pixels
// (ox,oy) whose tap (kx,ky) lies on (x,y).
#include "compiler/ops/conv2d.h"
#include "compiler/ops/lower/lower.h"
#include "compiler/ops/lower/taps.h"

namespace convoke {

using Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_conv2d_backward_data(const NodeView& node, const LowerInputs& inputs) {
  const Conv2d conv = *as_conv2d_backward_data(node);
  const int group_in = static_cast<int>(conv.group_in_c()), group_out = static_cast<int>(conv.group_out_c());
  const Axis along_x = axis_x(conv.window, conv.in, conv.out), along_y = axis_y(conv.window, conv.in, conv.out);
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, along_x.kernel, 0, along_y.kernel, 0, group_out);
  const Tap tap_x = output_tap(along_x, x, r.x), tap_y = output_tap(along_y, y, r.y);
  const Halide::Expr co = r.z + c / group_in * group_out;
  Func dx("conv2d_backward_data");
  dx(c, x, y, n) = 0.0f;
  dx(c, x, y, n) += select_inside(
      tap_x, tap_y, inputs.funcs[0](co, tap_x.index, tap_y.index, n) * inputs.funcs[1](r.x, r.y, c % group_in, co),
      0.0f);
  return {dx};
}

}  // namespace convoke
