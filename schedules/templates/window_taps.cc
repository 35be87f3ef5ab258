// The axes of poolings (window_taps.h).
#include "schedules/templates/window_taps.h"

#include <algorithm>

namespace convoke {

using Halide::Expr;

namespace {

struct Range {
  int low, high;  // both included
};

Range range_of(const Expr& index, int count) {
  const auto constant = Halide::Internal::as_const_int(index);
  return constant ? Range{static_cast<int>(*constant), static_cast<int>(*constant)} : Range{0, count - 1};
}

// Index i, which lies in `range`, of an axis of `extent` pixels.
WindowTap confine(const Expr& i, Range range, int extent, const Expr& k) {
  WindowTap tap{i, {}, k};
  if (range.low < 0) tap.inside = i >= 0;
  if (range.high >= extent) tap.inside = both(tap.inside, i < extent);
  if (tap.inside.defined()) tap.at = clamp(likely(i), 0, extent - 1);
  return tap;
}

// With stride 1 windows cover a pixel at steps of the dilation.
int window_step(const Axis& axis) { return axis.stride == 1 ? axis.dilation : 1; }

int last_tap(const Axis& axis) { return axis.dilation * (axis.kernel - 1); }

}  // namespace

Expr both(const Expr& a, const Expr& b) {
  if (!a.defined()) return b;
  return b.defined() ? a && b : a;
}

WindowTap covered_pixel(const Axis& axis, const Expr& o, const Expr& k) {
  const Range taps = range_of(k, axis.kernel);
  const Range range = {taps.low * axis.dilation - axis.padding,
                       (axis.out - 1) * axis.stride + taps.high * axis.dilation - axis.padding};
  return confine(o * axis.stride - axis.padding + k * axis.dilation, range, axis.in, k);
}

int covering_windows(const Axis& axis) { return last_tap(axis) / (axis.stride * window_step(axis)) + 1; }

// With q = i + padding: window o = ⌊q/s⌋ − r sees it r·s + q mod s pixels behind its first tap.
WindowTap covering_window(const Axis& axis, const Expr& i, const Expr& which) {
  const int s = axis.stride, d = axis.dilation, step = window_step(axis);
  const Expr q = i + axis.padding, r = which * step, distance = r * s + q % s;
  const Range windows = range_of(which, covering_windows(axis));
  const Range range = {axis.padding / s - windows.high * step, (axis.in - 1 + axis.padding) / s - windows.low * step};
  WindowTap tap = confine(q / s - r, range, axis.out, distance / d);
  const int furthest = windows.high * step * s + std::min(s - 1, axis.in - 1 + axis.padding);
  if (furthest > last_tap(axis)) tap.inside = both(tap.inside, distance <= last_tap(axis));
  if (d > 1 && s > 1) tap.inside = both(tap.inside, distance % d == 0);
  return tap;
}

Expr share_of_window(const Axis& axis, const Expr& o) {
  if (!axis.in_padding) return 1.0f / static_cast<float>(axis.kernel);
  return 1.0f / Halide::cast<float>(inside_taps(axis, o));
}

}  // namespace convoke
