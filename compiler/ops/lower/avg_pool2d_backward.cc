// avg_pool2d_backward as a gather: dx(c,x,y,n) = Σ_{kx,ky} dy(c,ox,oy,n)/divisor over the windows that cover (x,y).
#include "compiler/ops/lower/lower.h"
#include "compiler/ops/lower/taps.h"
#include "compiler/ops/pool2d.h"

namespace convoke {

using Halide::cast, Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_avg_pool2d_backward(const NodeView& node, const LowerInputs& inputs) {
  const Pool2d pool = *as_avg_pool2d_backward(node);
  const Axis along_x = axis_x(pool.window, pool.in, pool.out), along_y = axis_y(pool.window, pool.in, pool.out);
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, along_x.kernel, 0, along_y.kernel);
  const Tap tap_x = output_tap(along_x, x, r.x), tap_y = output_tap(along_y, y, r.y);
  const Expr share = pool.count_include_pad
                         ? Expr(1.0f / static_cast<float>(pool.window.kernel.area()))
                         : 1.0f / cast<float>(inside_taps(along_x, tap_x.index) * inside_taps(along_y, tap_y.index));
  Func dx("avg_pool2d_backward");
  dx(c, x, y, n) = 0.0f;
  dx(c, x, y, n) += select_inside(tap_x, tap_y, inputs.funcs[0](c, tap_x.index, tap_y.index, n) * share, 0.0f);
  return {dx};
}

}  // namespace convoke
