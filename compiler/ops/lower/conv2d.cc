// conv2d: y(co,x,y,n) = b(co) + Σ_{kx,ky,ci} x(ci + group's first, …)·w(kx,ky,ci,co), taps on padding zero.
#include "compiler/ops/conv2d.h"

#include "compiler/ops/lower/lower.h"
#include "compiler/ops/lower/taps.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_conv2d(const NodeView& node, const LowerInputs& inputs) {
  const Conv2d conv = *as_conv2d(node);
  const int group_in = static_cast<int>(conv.group_in_c()), group_out = static_cast<int>(conv.group_out_c());
  const Axis along_x = axis_x(conv.window, conv.in, conv.out), along_y = axis_y(conv.window, conv.in, conv.out);
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, along_x.kernel, 0, along_y.kernel, 0, group_in);
  const Tap tap_x = input_tap(along_x, x, r.x), tap_y = input_tap(along_y, y, r.y);
  Func out("conv2d");
  out(c, x, y, n) = conv.has_bias ? inputs.funcs[2](c) : Expr(0.0f);
  out(c, x, y, n) += select_inside(
      tap_x, tap_y,
      inputs.funcs[0](r.z + c / group_out * group_in, tap_x.index, tap_y.index, n) * inputs.funcs[1](r.x, r.y, r.z, c),
      0.0f);
  return {out};
}

}  // namespace convoke
