// The windows of an adaptive pooling along one axis: output pixel o of `out` averages the input pixels
// ⌊o·in/out⌋ … ⌈(o+1)·in/out⌉−1 (PyTorch's rule). They cover the input and may overlap; an output may be larger than
// its input. The outputs that read input pixel i are the window of i with in and out exchanged.
#pragma once

#include <cstdint>

namespace convoke {

struct AdaptiveAxis {
  int64_t in, out;

  int64_t begin(int64_t o) const { return o * in / out; }
  int64_t end(int64_t o) const { return ((o + 1) * in + out - 1) / out; }
  int64_t size(int64_t o) const { return end(o) - begin(o); }
  int64_t largest() const { return in % out == 0 ? in / out : in / out + 2; }  // at least the largest window
  AdaptiveAxis exchanged() const { return {out, in}; }
};

}  // namespace convoke
