// conv2d_backward_weights: dw(kx,ky,ci,co) = Σ_{x,y,n} dy(co,x,y,n)·x(ci + group's first, …), taps on padding zero.
#include "compiler/ops/conv2d.h"
#include "compiler/ops/lower/lower.h"
#include "compiler/ops/lower/taps.h"

namespace convoke {

using Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_conv2d_backward_weights(const NodeView& node, const LowerInputs& inputs) {
  const Conv2d conv = *as_conv2d_backward_weights(node);
  const int group_in = static_cast<int>(conv.group_in_c()), group_out = static_cast<int>(conv.group_out_c());
  const Axis along_x = axis_x(conv.window, conv.in, conv.out), along_y = axis_y(conv.window, conv.in, conv.out);
  Var kx("kx"), ky("ky"), ci("ci"), co("co");
  RDom r(0, along_x.out, 0, along_y.out, 0, inputs.batch);
  const Tap tap_x = input_tap(along_x, r.x, kx), tap_y = input_tap(along_y, r.y, ky);
  Func dw("conv2d_backward_weights");
  dw(kx, ky, ci, co) = 0.0f;
  dw(kx, ky, ci, co) +=
      select_inside(tap_x, tap_y,
                    inputs.funcs[0](co, r.x, r.y, r.z) *
                        inputs.funcs[1](ci + co / group_out * group_in, tap_x.index, tap_y.index, r.z),
                    0.0f);
  return {dw};
}

}  // namespace convoke
