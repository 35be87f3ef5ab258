// The typed view of a convolution, the same for its three directions: forward, data gradient and weight gradient of one
// problem read alike. Templates and the frontend reach attributes through it.
#pragma once

#include <optional>

#include "compiler/ops/window.h"

namespace convoke {

struct Conv2d {
  Window2d window;
  Extent2d in, out;
  int64_t in_c = 0, out_c = 0;
  int64_t groups = 1;
  bool has_bias = false;  // forward only

  int64_t group_in_c() const { return in_c / groups; }
  int64_t group_out_c() const { return out_c / groups; }
  int64_t multiply_adds() const { return out.area() * out_c * group_in_c() * window.kernel.area(); }  // a sample
};

// Nothing when the node is another op.
std::optional<Conv2d> as_conv2d(const NodeView& node);
std::optional<Conv2d> as_conv2d_backward_data(const NodeView& node);
std::optional<Conv2d> as_conv2d_backward_weights(const NodeView& node);

// What the three inferences share: the problem of an input f32[n,in.h,in.w,in_c] and a weight f32[weight_dims], or why
// there is none. The attributes dilation, groups, padding and stride have been checked one by one.
Result<Conv2d> check_conv2d(const Attrs& attrs, Extent2d in, int64_t in_c, std::span<const int64_t> weight_dims);

// For the gradients: the output gradient has the shape that the forward convolution has.
Status check_conv2d_gradient(const Conv2d& conv, const Type& dy);

// Calls visit(x, w, y) with the element offsets of each product y += x·w of the convolution (x, y NHWC, w OIHW),
// padding left out. All three references are this loop.
template <typename Visit>
void for_each_product(const Conv2d& conv, int64_t batch, Visit visit) {
  const Window2d& window = conv.window;
  const auto offset = [](Extent2d extent, int64_t c, int64_t n, int64_t y, int64_t x) {
    return ((n * extent.h + y) * extent.w + x) * c;
  };
  const auto visit_tap = [&](int64_t x, int64_t y, int64_t tap) {
    for (int64_t co = 0; co < conv.out_c; ++co) {
      const int64_t first = co / conv.group_out_c() * conv.group_in_c();
      for (int64_t ci = 0; ci < conv.group_in_c(); ++ci) {
        visit(x + first + ci, (co * conv.group_in_c() + ci) * window.kernel.area() + tap, y + co);
      }
    }
  };
  const auto visit_pixel = [&](int64_t n, int64_t oy, int64_t ox) {
    for (int64_t ky = 0; ky < window.kernel.h; ++ky) {
      for (int64_t kx = 0; kx < window.kernel.w; ++kx) {
        const int64_t iy = window.input_y(oy, ky), ix = window.input_x(ox, kx);
        if (!conv.in.contains(iy, ix)) continue;
        visit_tap(offset(conv.in, conv.in_c, n, iy, ix), offset(conv.out, conv.out_c, n, oy, ox),
                  ky * window.kernel.w + kx);
      }
    }
  };
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t oy = 0; oy < conv.out.h; ++oy) {
      for (int64_t ox = 0; ox < conv.out.w; ++ox) visit_pixel(n, oy, ox);
    }
  }
}

}  // namespace convoke
