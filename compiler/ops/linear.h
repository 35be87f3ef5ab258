// The typed view of a fully connected layer, the same for its three directions. A rank-4 input is read in the order of
// PyTorch's flatten of NCHW: feature (c·h + y)·w + x is channel c of pixel (x,y).
#pragma once

#include <optional>

#include "compiler/ops/window.h"

namespace convoke {

struct Linear {
  bool is_image = false;  // rank 4; else in_size is 1x1 and in_c the features
  Extent2d in_size;
  int64_t in_c = 0;
  int64_t out = 0;        // features
  bool has_bias = false;  // forward only

  int64_t in() const { return in_size.area() * in_c; }
  int64_t multiply_adds() const { return in() * out; }  // a sample
  // The feature (weight column) of element `i` of a sample in NHWC order.
  int64_t feature(int64_t i) const { return i % in_c * in_size.area() + i / in_c; }
};

// Nothing when the node is another op.
std::optional<Linear> as_linear(const NodeView& node);
std::optional<Linear> as_linear_backward_data(const NodeView& node);
std::optional<Linear> as_linear_backward_weights(const NodeView& node);

// The input's part of the view; its rank is 2 or 4.
Linear linear_of_input(const Type& input);

}  // namespace convoke
