// Conversions between tensors and Halide buffers (buffers.h).
#include "tests/lower/buffers.h"

namespace convoke {
namespace {

template <typename T>
void copy_in(const Tensor& from, Halide::Buffer<>& to) {
  std::copy(from.data.begin(), from.data.end(), static_cast<T*>(to.data()));
}

template <typename T>
std::vector<double> copy_out(const Halide::Buffer<>& from) {
  const T* data = static_cast<const T*>(from.data());
  return {data, data + from.number_of_elements()};
}

Halide::Buffer<> make(DType dtype, const std::vector<int64_t>& dims) {
  return Halide::Buffer<>(halide_type(dtype), std::vector<int>(dims.rbegin(), dims.rend()));
}

}  // namespace

Halide::Buffer<> make_buffer(const Type& type, int64_t batch) { return make(type.dtype, concrete(type, batch)); }

Halide::Buffer<> to_buffer(const Type& type, const Tensor& tensor) {
  Halide::Buffer<> buffer = make(type.dtype, tensor.dims);
  if (type.dtype == DType::kF32) copy_in<float>(tensor, buffer);
  if (type.dtype == DType::kI32) copy_in<int32_t>(tensor, buffer);
  if (type.dtype == DType::kU8) copy_in<uint8_t>(tensor, buffer);
  return buffer;
}

std::vector<double> to_values(const Halide::Buffer<>& buffer) {
  if (buffer.type().is_float()) return copy_out<float>(buffer);
  return buffer.type().is_int() ? copy_out<int32_t>(buffer) : copy_out<uint8_t>(buffer);
}

}  // namespace convoke
