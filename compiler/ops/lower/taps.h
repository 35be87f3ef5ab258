// The taps of a sliding window (compiler/ops/window.h) as Halide expressions along one axis, forward and backward.
// Indices are clamped so that reads stay inside; `inside` says whether the tap counts.
#pragma once

#include "Halide.h"
#include "compiler/ops/window.h"

namespace convoke {

// One axis of a window.
struct Axis {
  int kernel, stride, padding, dilation;
  int in, out;      // pixels before and after the window
  bool in_padding;  // some tap may lie on padding
};
Axis axis_x(const Window2d& window, Extent2d in, Extent2d out);
Axis axis_y(const Window2d& window, Extent2d in, Extent2d out);

struct Tap {
  Halide::Expr index;   // clamped
  Halide::Expr inside;  // undefined: always
};

// The input pixel under tap k of output pixel o.
Tap input_tap(const Axis& axis, const Halide::Expr& o, const Halide::Expr& k);
// The output pixel whose tap k lies on input pixel i, if there is one.
Tap output_tap(const Axis& axis, const Halide::Expr& i, const Halide::Expr& k);

// How many taps of output pixel o lie on input pixels; for dilation 1.
Halide::Expr inside_taps(const Axis& axis, const Halide::Expr& o);

// `value` where both taps are inside, else `outside`.
Halide::Expr select_inside(const Tap& x, const Tap& y, const Halide::Expr& value, const Halide::Expr& outside);

}  // namespace convoke
