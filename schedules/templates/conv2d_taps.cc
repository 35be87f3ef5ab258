// The axes of convolutions (conv2d_taps.h).
#include "schedules/templates/conv2d_taps.h"

#include <algorithm>

#include "compiler/ops/conv2d.h"
#include "schedules/templates/body.h"

namespace convoke {
namespace {

struct AxisOfWindow {
  int64_t kernel, stride, padding, dilation, in, out;
};
AxisOfWindow along_x(const Conv2d& c) {
  const Window2d& w = c.window;
  return {w.kernel.w, w.stride_x, w.left, w.dilation_x, c.in.w, c.out.w};
}
AxisOfWindow along_y(const Conv2d& c) {
  const Window2d& w = c.window;
  return {w.kernel.h, w.stride_y, w.top, w.dilation_y, c.in.h, c.out.h};
}

Taps forward_taps(const AxisOfWindow& a) {
  return {.kernel = static_cast<int>(a.kernel),
          .step = static_cast<int>(a.stride),
          .phases = 1,
          .offset = static_cast<int>(-a.padding),
          .slope = static_cast<int>(a.dilation),
          .source = static_cast<int>(a.in),
          .out = static_cast<int>(a.out)};
}

// i = o·stride − padding + k·dilation solved for o.
Taps backward_taps(const AxisOfWindow& a) {
  return {.kernel = static_cast<int>(a.kernel),
          .step = 1,
          .phases = static_cast<int>(a.stride),
          .offset = static_cast<int>(a.padding),
          .slope = static_cast<int>(-a.dilation),
          .source = static_cast<int>(a.out),
          .out = static_cast<int>(a.in)};
}

}  // namespace

bool Taps::may_miss() const {
  const int across = slope * (kernel - 1);
  return phases > 1 || offset + std::min(across, 0) < 0 || (out - 1) * step + offset + std::max(across, 0) >= source;
}

std::optional<TappedConv2d> as_tapped(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const NodeView node = anchor_view(kernel);
  if (const auto conv = as_conv2d(node)) {
    return TappedConv2d{.x = forward_taps(along_x(*conv)),
                        .y = forward_taps(along_y(*conv)),
                        .summed = static_cast<int>(conv->group_in_c()),
                        .made = static_cast<int>(conv->group_out_c()),
                        .groups = static_cast<int>(conv->groups),
                        .is_forward = true,
                        .has_bias = conv->has_bias};
  }
  if (const auto conv = as_conv2d_backward_data(node)) {
    return TappedConv2d{.x = backward_taps(along_x(*conv)),
                        .y = backward_taps(along_y(*conv)),
                        .summed = static_cast<int>(conv->group_out_c()),
                        .made = static_cast<int>(conv->group_in_c()),
                        .groups = static_cast<int>(conv->groups),
                        .is_forward = false,
                        .has_bias = false};
  }
  return std::nullopt;
}

}  // namespace convoke
