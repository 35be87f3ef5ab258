// Window2d: how a kernel slides over an image; the geometry that convolutions and poolings share. Tap (ky,kx) of output
// pixel (oy,ox) lies on input pixel (oy·stride_y − top + ky·dilation_y, ox·stride_x − left + kx·dilation_x), which may
// be padding.
#pragma once

#include "compiler/ops/op.h"

namespace convoke {

struct Extent2d {
  int64_t h = 1, w = 1;
  int64_t area() const { return h * w; }
  bool contains(int64_t y, int64_t x) const { return y >= 0 && y < h && x >= 0 && x < w; }
  bool operator==(const Extent2d&) const = default;
};

struct Window2d {
  Extent2d kernel;
  int64_t stride_y = 1, stride_x = 1;
  int64_t top = 0, bottom = 0, left = 0, right = 0;  // padding
  int64_t dilation_y = 1, dilation_x = 1;

  // The rows and columns that the dilated kernel spans.
  Extent2d span() const { return {dilation_y * (kernel.h - 1) + 1, dilation_x * (kernel.w - 1) + 1}; }
  int64_t input_y(int64_t oy, int64_t ky) const { return oy * stride_y - top + ky * dilation_y; }
  int64_t input_x(int64_t ox, int64_t kx) const { return ox * stride_x - left + kx * dilation_x; }
  bool operator==(const Window2d&) const = default;
};

// From the attributes stride, padding and, where the op has it, dilation.
Window2d window_of(const Attrs& attrs, Extent2d kernel);

// The positions of the window over an input: floor((h + top + bottom − span)/stride) + 1. An error when there is none.
Result<Extent2d> window_positions(const Window2d& window, Extent2d input);

std::string to_string(Extent2d extent);  // "3x5", height first

}  // namespace convoke
