// adaptive_avg_pool2d: y(c,x,y,n) = Σ over its window x(c, …)/area.
#include "compiler/ops/lower/adaptive_taps.h"
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::cast, Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_adaptive_avg_pool2d(const NodeView& node, const LowerInputs& inputs) {
  const auto &in = node.inputs[0].dims, &size = node.results[0].dims;
  const AdaptiveAxis rows{in[1], size[1]}, columns{in[2], size[2]};
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, static_cast<int>(columns.largest()), 0, static_cast<int>(rows.largest()));
  const AdaptiveTap at_x = adaptive_tap(columns, x, r.x), at_y = adaptive_tap(rows, y, r.y);
  const Expr share = 1.0f / cast<float>(adaptive_size(columns, x) * adaptive_size(rows, y));
  Func out("adaptive_avg_pool2d");
  out(c, x, y, n) = 0.0f;
  out(c, x, y, n) += select(at_x.inside && at_y.inside, inputs.funcs[0](c, at_x.index, at_y.index, n) * share, 0.0f);
  return {out};
}

}  // namespace convoke
