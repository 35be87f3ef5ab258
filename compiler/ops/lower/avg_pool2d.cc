// avg_pool2d: y(c,x,y,n) = Σ_{kx,ky} x(c, …)/divisor, the divisor constant or the number of pixels under the window.
#include "compiler/ops/lower/lower.h"
#include "compiler/ops/lower/taps.h"
#include "compiler/ops/pool2d.h"

namespace convoke {

using Halide::cast, Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_avg_pool2d(const NodeView& node, const LowerInputs& inputs) {
  const Pool2d pool = *as_avg_pool2d(node);
  const Axis along_x = axis_x(pool.window, pool.in, pool.out), along_y = axis_y(pool.window, pool.in, pool.out);
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, along_x.kernel, 0, along_y.kernel);
  const Tap tap_x = input_tap(along_x, x, r.x), tap_y = input_tap(along_y, y, r.y);
  const Expr share = pool.count_include_pad ? Expr(1.0f / static_cast<float>(pool.window.kernel.area()))
                                            : 1.0f / cast<float>(inside_taps(along_x, x) * inside_taps(along_y, y));
  Func out("avg_pool2d");
  out(c, x, y, n) = 0.0f;
  out(c, x, y, n) += select_inside(tap_x, tap_y, inputs.funcs[0](c, tap_x.index, tap_y.index, n) * share, 0.0f);
  return {out};
}

}  // namespace convoke
