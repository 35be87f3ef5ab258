// What the pooling ops share (pool2d.h).
#include "compiler/ops/pool2d.h"

#include <fmt/format.h>

#include <algorithm>

namespace convoke {
namespace {

struct WindowAxis {
  int64_t kernel, stride, padding, dilation, in, out;
};

// The first tap of window o that is not above or left of the image: taps lie at first + k·dilation.
bool each_window_holds_a_pixel(const WindowAxis& axis) {
  for (int64_t o = 0; o < axis.out; ++o) {
    const int64_t first = o * axis.stride - axis.padding;
    if (first >= 0) break;
    const int64_t skipped = (-first + axis.dilation - 1) / axis.dilation;
    if (skipped >= axis.kernel || first + skipped * axis.dilation >= axis.in) return false;
  }
  return (axis.out - 1) * axis.stride - axis.padding < axis.in;
}

}  // namespace

Result<Pool2d> check_pool2d(const Attrs& attrs, Extent2d in, int64_t c) {
  const auto& kernel = attr_ints(attrs, "kernel_size");
  const auto& padding = attr_ints(attrs, "padding");
  Pool2d pool{.window = window_of(attrs, {kernel[0], kernel[1]}), .in = in, .c = c};
  const Window2d& w = pool.window;
  ASSIGN_OR_RETURN(pool.out, window_positions(w, in));
  if (!each_window_holds_a_pixel({w.kernel.h, w.stride_y, w.top, w.dilation_y, in.h, pool.out.h}) ||
      !each_window_holds_a_pixel({w.kernel.w, w.stride_x, w.left, w.dilation_x, in.w, pool.out.w})) {
    return invalid_argument(fmt::format("padding [{},{},{},{}] makes windows of padding alone (kernel {}, input {})",
                                        padding[0], padding[1], padding[2], padding[3], to_string(w.kernel),
                                        to_string(in)));
  }
  return pool;
}

Status check_pool2d_gradient(const Pool2d& pool, const Type& dy) {
  const Type expected = f32({kBatch, pool.out.h, pool.out.w, pool.c});
  if (dy == expected) return ok_status();
  return invalid_argument(fmt::format("gradient is {}, expected {}", to_string(dy), to_string(expected)));
}

std::vector<double> average_divisors(const Pool2d& pool, int64_t batch) {
  const auto elems = static_cast<size_t>(batch * pool.out.area() * pool.c);
  if (pool.count_include_pad) return std::vector<double>(elems, static_cast<double>(pool.window.kernel.area()));
  std::vector<double> divisors(elems, 0.0);
  for_each_tap(pool, batch, [&](int64_t, int64_t y, int64_t) { divisors[y] += 1; });
  return divisors;
}

}  // namespace convoke
