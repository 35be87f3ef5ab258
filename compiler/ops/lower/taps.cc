// Taps of a sliding window as Halide expressions (taps.h).
#include "compiler/ops/lower/taps.h"

namespace convoke {

using Halide::clamp, Halide::Expr;

namespace {

Axis make_axis(int64_t kernel, int64_t stride, int64_t before, int64_t after, int64_t dilation, int64_t in,
               int64_t out) {
  return {static_cast<int>(kernel), static_cast<int>(stride), static_cast<int>(before), static_cast<int>(dilation),
          static_cast<int>(in),     static_cast<int>(out),    before > 0 || after > 0};
}

}  // namespace

Axis axis_x(const Window2d& w, Extent2d in, Extent2d out) {
  return make_axis(w.kernel.w, w.stride_x, w.left, w.right, w.dilation_x, in.w, out.w);
}

Axis axis_y(const Window2d& w, Extent2d in, Extent2d out) {
  return make_axis(w.kernel.h, w.stride_y, w.top, w.bottom, w.dilation_y, in.h, out.h);
}

Tap input_tap(const Axis& axis, const Expr& o, const Expr& k) {
  const Expr i = o * axis.stride - axis.padding + k * axis.dilation;
  if (!axis.in_padding) return {i, {}};
  return {clamp(i, 0, axis.in - 1), i >= 0 && i < axis.in};
}

// i = o·stride − padding + k·dilation solved for o (Halide's / and % round towards −∞).
Tap output_tap(const Axis& axis, const Expr& i, const Expr& k) {
  const Expr distance = i + axis.padding - k * axis.dilation;
  const Expr o = distance / axis.stride;
  return {clamp(o, 0, axis.out - 1), distance % axis.stride == 0 && o >= 0 && o < axis.out};
}

Expr inside_taps(const Axis& axis, const Expr& o) {
  const Expr first = o * axis.stride - axis.padding;
  return Halide::min(first + axis.kernel, axis.in) - Halide::max(first, 0);
}

Expr select_inside(const Tap& x, const Tap& y, const Expr& value, const Expr& outside) {
  if (!x.inside.defined() && !y.inside.defined()) return value;
  const Expr inside = !x.inside.defined() ? y.inside : !y.inside.defined() ? x.inside : x.inside && y.inside;
  return Halide::select(inside, value, outside);
}

}  // namespace convoke
