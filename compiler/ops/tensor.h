// Tensor: a concrete value of the reference interpreter, in double whatever its dtype, row-major in logical order.
#pragma once

#include <cstdint>
#include <vector>

namespace convoke {

struct Tensor {
  std::vector<int64_t> dims;  // concrete: the batch is a number here
  std::vector<double> data;

  Tensor() = default;
  explicit Tensor(std::vector<int64_t> d) : dims(std::move(d)), data(static_cast<size_t>(elems())) {}
  int64_t elems() const {
    int64_t count = 1;
    for (int64_t dim : dims) count *= dim;
    return count;
  }
  int64_t dim(int i) const { return dims[static_cast<size_t>(i)]; }
};

}  // namespace convoke
