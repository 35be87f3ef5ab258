// max_pool2d: the running (maximum, place) over the window in row-major order; a tap on padding is −∞ and never wins.
#include <limits>

#include "compiler/ops/lower/lower.h"
#include "compiler/ops/lower/taps.h"
#include "compiler/ops/pool2d.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::select, Halide::Tuple, Halide::Var;

std::vector<Func> lower_max_pool2d(const NodeView& node, const LowerInputs& inputs) {
  const Pool2d pool = *as_max_pool2d(node);
  const Axis along_x = axis_x(pool.window, pool.in, pool.out), along_y = axis_y(pool.window, pool.in, pool.out);
  const Expr lowest = -std::numeric_limits<float>::infinity();
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, along_x.kernel, 0, along_y.kernel);
  const Tap tap_x = input_tap(along_x, x, r.x), tap_y = input_tap(along_y, y, r.y);
  const Expr candidate = select_inside(tap_x, tap_y, inputs.funcs[0](c, tap_x.index, tap_y.index, n), lowest);
  Func best("max_pool2d_best"), maximum("max_pool2d"), place("max_pool2d_index");
  best(c, x, y, n) = Tuple(lowest, Halide::cast<uint8_t>(0));
  const Expr wins = candidate > best(c, x, y, n)[0];
  best(c, x, y, n) = Tuple(select(wins, candidate, best(c, x, y, n)[0]),
                           select(wins, Halide::cast<uint8_t>(r.y * along_x.kernel + r.x), best(c, x, y, n)[1]));
  maximum(c, x, y, n) = best(c, x, y, n)[0];
  place(c, x, y, n) = best(c, x, y, n)[1];
  return {maximum, place};
}

}  // namespace convoke
