// The typed view of a pooling, forward and backward alike: one problem, four ops that read it.
#pragma once

#include <optional>

#include "compiler/ops/window.h"

namespace convoke {

struct Pool2d {
  Window2d window;
  Extent2d in, out;
  int64_t c = 0;
  bool count_include_pad = true;  // of averages: the divisor is the kernel's area, else the number of real pixels

  int64_t reads() const { return out.area() * c * window.kernel.area(); }  // a sample
};

// Nothing when the node is another op.
std::optional<Pool2d> as_avg_pool2d(const NodeView& node);
std::optional<Pool2d> as_avg_pool2d_backward(const NodeView& node);
std::optional<Pool2d> as_max_pool2d(const NodeView& node);
std::optional<Pool2d> as_max_pool2d_backward(const NodeView& node);

// What the inferences share: the problem of an input f32[n,in.h,in.w,c], or why there is none. The attributes have been
// checked one by one. Every window must hold a pixel: the mean or maximum of padding alone means nothing.
Result<Pool2d> check_pool2d(const Attrs& attrs, Extent2d in, int64_t c);

// The rule of an output gradient: it has the shape that the forward op's result has.
Status check_pool2d_gradient(const Pool2d& pool, const Type& dy);

// Calls visit(x, y, tap) with the element offsets (NHWC) of each input element under a window, in the window's
// row-major order; tap = ky·kernel.w + kx. Padding is left out.
template <typename Visit>
void for_each_tap(const Pool2d& pool, int64_t batch, Visit visit) {
  const auto visit_window = [&](int64_t n, int64_t oy, int64_t ox) {
    const int64_t y = ((n * pool.out.h + oy) * pool.out.w + ox) * pool.c;
    for (int64_t tap = 0; tap < pool.window.kernel.area(); ++tap) {
      const int64_t iy = pool.window.input_y(oy, tap / pool.window.kernel.w);
      const int64_t ix = pool.window.input_x(ox, tap % pool.window.kernel.w);
      if (!pool.in.contains(iy, ix)) continue;
      const int64_t x = ((n * pool.in.h + iy) * pool.in.w + ix) * pool.c;
      for (int64_t c = 0; c < pool.c; ++c) visit(x + c, y + c, tap);
    }
  };
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t oy = 0; oy < pool.out.h; ++oy) {
      for (int64_t ox = 0; ox < pool.out.w; ++ox) visit_window(n, oy, ox);
    }
  }
}

// For each output element the number by which an average divides.
std::vector<double> average_divisors(const Pool2d& pool, int64_t batch);

}  // namespace convoke
