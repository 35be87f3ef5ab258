// Tensors of the cases as Halide buffers and back, logical layout: Halide's innermost dimension is the tensor's last.
#pragma once

#include "Halide.h"
#include "compiler/ops/lower/lower.h"
#include "tests/ops/cases.h"

namespace convoke {

Halide::Buffer<> make_buffer(const Type& type, int64_t batch);  // not initialised
Halide::Buffer<> to_buffer(const Type& type, const Tensor& tensor);
std::vector<double> to_values(const Halide::Buffer<>& buffer);  // in the tensor's order; dense buffers only

}  // namespace convoke
