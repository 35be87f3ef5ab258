// adaptive_avg_pool2d_backward: dx(c,x,y,n) = Σ over the windows that cover the pixel dy(c, …)/their area.
#include "compiler/ops/lower/adaptive_taps.h"
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::cast, Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_adaptive_avg_pool2d_backward(const NodeView& node, const LowerInputs& inputs) {
  const auto &from = node.inputs[0].dims, &to = node.results[0].dims;
  const AdaptiveAxis rows{to[1], from[1]}, columns{to[2], from[2]};  // of the forward op
  const AdaptiveAxis readers_y = rows.exchanged(), readers_x = columns.exchanged();
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, static_cast<int>(readers_x.largest()), 0, static_cast<int>(readers_y.largest()));
  const AdaptiveTap at_x = adaptive_tap(readers_x, x, r.x), at_y = adaptive_tap(readers_y, y, r.y);
  const Expr share = 1.0f / cast<float>(adaptive_size(columns, at_x.index) * adaptive_size(rows, at_y.index));
  Func out("adaptive_avg_pool2d_backward");
  out(c, x, y, n) = 0.0f;
  out(c, x, y, n) += select(at_x.inside && at_y.inside, inputs.funcs[0](c, at_x.index, at_y.index, n) * share, 0.0f);
  return {out};
}

}  // namespace convoke
