// The windows of compiler/ops/adaptive_window.h as Halide expressions.
#pragma once

#include "Halide.h"
#include "compiler/ops/adaptive_window.h"

namespace convoke {

struct AdaptiveTap {
  Halide::Expr index;   // of the pixel, clamped to the axis
  Halide::Expr inside;  // tap k belongs to the window
};

inline Halide::Expr adaptive_begin(const AdaptiveAxis& axis, const Halide::Expr& o) {
  return o * static_cast<int>(axis.in) / static_cast<int>(axis.out);
}
inline Halide::Expr adaptive_end(const AdaptiveAxis& axis, const Halide::Expr& o) {
  return ((o + 1) * static_cast<int>(axis.in) + static_cast<int>(axis.out - 1)) / static_cast<int>(axis.out);
}
inline Halide::Expr adaptive_size(const AdaptiveAxis& axis, const Halide::Expr& o) {
  return adaptive_end(axis, o) - adaptive_begin(axis, o);
}
inline AdaptiveTap adaptive_tap(const AdaptiveAxis& axis, const Halide::Expr& o, const Halide::Expr& k) {
  const Halide::Expr index = adaptive_begin(axis, o) + k;
  return {Halide::clamp(index, 0, static_cast<int>(axis.in - 1)), index < adaptive_end(axis, o)};
}

}  // namespace convoke
