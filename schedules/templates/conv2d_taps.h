// Convolutions and their data gradients as one problem: which pixels of its source an output pixel sums over.
#pragma once

#include <optional>

#include "schedules/templates/tile.h"

namespace convoke {

// Along one axis, tap k of output pixel o lies on source pixel (o·step + offset + slope·k)/phases, where that is one.
struct Taps {
  int kernel, step, phases, offset, slope, source, out;

  Halide::Expr position(const Halide::Expr& o, const Halide::Expr& k) const { return o * step + offset + slope * k; }
  int outputs_per_phase() const { return ceil_div(out, phases); }
  bool may_miss() const;
};

// Either direction: sums over `summed` channels, makes `made`, both of one group.
struct TappedConv2d {
  Taps x, y;
  int summed, made, groups;
  bool is_forward, has_bias;
};

// Nothing when the kernel's anchor is another op.
std::optional<TappedConv2d> as_tapped(const Kernel& kernel);

}  // namespace convoke
