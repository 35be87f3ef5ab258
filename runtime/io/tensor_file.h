// Named tensors in a file, as convoke-run exchanges them (tensor_format.h), for the side that has a C++ library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/core/convoke.h"

namespace convoke {

struct NamedTensor {
  std::string name;
  convoke_dtype dtype = CONVOKE_F32;
  std::vector<int64_t> dims;
  std::string bytes;  // dense, row-major
};

NamedTensor f32_tensor(std::string name, std::vector<int64_t> dims, const std::vector<float>& values);
NamedTensor i32_tensor(std::string name, std::vector<int64_t> dims, const std::vector<int32_t>& values);
std::vector<float> f32_values(const NamedTensor& tensor);  // of an f32 tensor

std::string serialize_tensors(const std::vector<NamedTensor>& tensors);
// kDataLoss when the bytes are not such a file or end early.
Result<std::vector<NamedTensor>> parse_tensors(std::string_view bytes);

}  // namespace convoke
