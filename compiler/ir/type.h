// Types of values: element type and logical shape. Activations are NHWC with the symbolic batch `n` in front,
// convolution weights OIHW, linear weights [out, in] (PyTorch's logical layouts); how a value lies in memory is
// Layout's subject.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoke {

enum class DType : uint8_t { kF32, kI32, kU8 };
int64_t size_bytes(DType dtype);
const char* to_string(DType dtype);

inline constexpr int64_t kBatch = -1;  // the symbolic dimension `n`; only dims[0] may be it

struct Type {
  DType dtype = DType::kF32;
  std::vector<int64_t> dims;  // empty: a scalar

  bool has_batch() const { return !dims.empty() && dims[0] == kBatch; }
  int rank() const { return static_cast<int>(dims.size()); }
  // Elements, or elements per sample when the type has a batch.
  int64_t elems() const;
  bool operator==(const Type&) const = default;
};

inline Type f32(std::vector<int64_t> dims) { return {DType::kF32, std::move(dims)}; }
inline Type i32(std::vector<int64_t> dims) { return {DType::kI32, std::move(dims)}; }
inline Type u8(std::vector<int64_t> dims) { return {DType::kU8, std::move(dims)}; }

std::string to_string(const Type& type);  // "f32[n,56,56,64]"; a scalar is "f32[]"

}  // namespace convoke
