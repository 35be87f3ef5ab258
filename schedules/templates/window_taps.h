// What a pixel of a pooling takes from, along one axis: the pixels under its window (forward), or the windows that
// cover it (backward), of which there are ⌈span/stride⌉ only. Conditions are stated only as far as the geometry leaves
// them open; indices that have one are clamped, so that reads stay inside.
#pragma once

#include "compiler/ops/lower/taps.h"

namespace convoke {

struct WindowTap {
  Halide::Expr at;      // the pixel that is read
  Halide::Expr inside;  // undefined: always
  Halide::Expr k;       // which tap of the window this is
};

// Tap k of output pixel o; k < axis.kernel.
WindowTap covered_pixel(const Axis& axis, const Halide::Expr& o, const Halide::Expr& k);

// Window `which` < covering_windows(axis) of those that may cover input pixel i.
int covering_windows(const Axis& axis);
WindowTap covering_window(const Axis& axis, const Halide::Expr& i, const Halide::Expr& which);

// 1 / the number of pixels under window o.
Halide::Expr share_of_window(const Axis& axis, const Halide::Expr& o);

// `a && b`, of which either may be undefined, that is, true.
Halide::Expr both(const Halide::Expr& a, const Halide::Expr& b);

}  // namespace convoke
