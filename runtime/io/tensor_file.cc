// Files of named tensors; see tensor_file.h.
#include "runtime/io/tensor_file.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/checked.h"
#include "runtime/io/tensor_format.h"

namespace convoke {
namespace {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

void append_padded(std::string& to, std::string_view bytes) {
  to += bytes;
  to.append(pad8(bytes.size()) - bytes.size(), '\0');
}

// Takes `count` bytes and their padding from the front of `rest`; false: there are not so many.
bool take(std::string_view& rest, uint64_t count, std::string_view& taken) {
  if (count > rest.size() || pad8(count) > rest.size()) return false;
  taken = rest.substr(0, count);
  rest.remove_prefix(pad8(count));
  return true;
}

bool plausible(const TensorHeader& header) {
  if (header.dtype < CONVOKE_F32 || header.dtype > CONVOKE_U8 || header.rank < 0 || header.rank > 8) return false;
  if (std::any_of(header.dims, header.dims + header.rank, [](int64_t dim) { return dim < 0; })) return false;
  const auto elems = checked_product(std::span(header.dims, static_cast<size_t>(header.rank)));
  const auto bytes = elems ? checked_mul(*elems, header.dtype == CONVOKE_U8 ? 1 : 4) : elems;
  return bytes && static_cast<uint64_t>(*bytes) == header.data_bytes;
}

}  // namespace

NamedTensor f32_tensor(std::string name, std::vector<int64_t> dims, const std::vector<float>& values) {
  return {std::move(name), CONVOKE_F32, std::move(dims), bytes_of(values)};
}

NamedTensor i32_tensor(std::string name, std::vector<int64_t> dims, const std::vector<int32_t>& values) {
  return {std::move(name), CONVOKE_I32, std::move(dims), bytes_of(values)};
}

std::vector<float> f32_values(const NamedTensor& tensor) {
  ENSURE(tensor.dtype == CONVOKE_F32) << tensor.name;
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(float));
  return values;
}

std::string serialize_tensors(const std::vector<NamedTensor>& tensors) {
  const TensorFileHeader file = {kTensorFileMagic, tensors.size()};
  std::string bytes(reinterpret_cast<const char*>(&file), sizeof file);
  for (const NamedTensor& tensor : tensors) {
    TensorHeader header = {};
    header.name_bytes = static_cast<uint32_t>(tensor.name.size());
    header.dtype = tensor.dtype;
    header.rank = static_cast<int32_t>(tensor.dims.size());
    std::copy(tensor.dims.begin(), tensor.dims.end(), header.dims);
    header.data_bytes = tensor.bytes.size();
    ENSURE(plausible(header)) << tensor.name << " has " << tensor.bytes.size() << " bytes";
    bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
    append_padded(bytes, tensor.name);
    append_padded(bytes, tensor.bytes);
  }
  return bytes;
}

Result<std::vector<NamedTensor>> parse_tensors(std::string_view bytes) {
  TensorFileHeader file;
  std::string_view taken;
  if (!take(bytes, sizeof file, taken)) return data_loss("not a tensor file: shorter than its header");
  memcpy(&file, taken.data(), sizeof file);
  if (file.magic != kTensorFileMagic) return data_loss("not a tensor file: wrong magic number");
  std::vector<NamedTensor> tensors;
  for (uint64_t i = 0; i < file.count; ++i) {
    TensorHeader header;
    std::string_view name, data;
    if (!take(bytes, sizeof header, taken)) return data_loss("tensor file ends in tensor " + std::to_string(i));
    memcpy(&header, taken.data(), sizeof header);
    if (!plausible(header) || !take(bytes, header.name_bytes, name) || !take(bytes, header.data_bytes, data)) {
      return data_loss("tensor file is damaged or ends in tensor " + std::to_string(i));
    }
    tensors.push_back({std::string(name), static_cast<convoke_dtype>(header.dtype),
                       std::vector<int64_t>(header.dims, header.dims + header.rank), std::string(data)});
  }
  return tensors;
}

}  // namespace convoke
