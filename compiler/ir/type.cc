#include "compiler/ir/type.h"

namespace convoke {

int64_t size_bytes(DType dtype) { return dtype == DType::kU8 ? 1 : 4; }

const char* to_string(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kI32:
      return "i32";
    case DType::kU8:
      return "u8";
  }
  return "?";
}

int64_t Type::elems() const {
  int64_t count = 1;
  for (int64_t dim : dims) count *= dim == kBatch ? 1 : dim;
  return count;
}

std::string to_string(const Type& type) {
  std::string text = to_string(type.dtype);
  text += '[';
  for (int i = 0; i < type.rank(); ++i) {
    if (i > 0) text += ',';
    text += type.dims[i] == kBatch ? "n" : std::to_string(type.dims[i]);
  }
  return text + ']';
}

}  // namespace convoke
