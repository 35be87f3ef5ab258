// Named tensors of convoke-run: a file read into memory, and a file written tensor by tensor.
#pragma once

#include "runtime/core/convoke.h"
#include "runtime/core/run/system.h"
#include "runtime/io/tensor_format.h"

namespace convoke::run {

struct TensorView {
  const char* name;  // ends with a zero
  TensorHeader header;
  const uint8_t* data;
  int64_t elems;
};

struct TensorFile {
  const char* path;
  TensorView* tensors;
  int64_t count;
};

TensorFile read_tensors(const char* path);  // ends the process when the file is not one
const TensorView* find(const TensorFile& file, const char* name);

class TensorWriter {
 public:
  explicit TensorWriter(const char* path);
  TensorWriter(const TensorWriter&) = delete;
  TensorWriter& operator=(const TensorWriter&) = delete;
  // `n` stands where dims[0] is -1; the name is name + suffix.
  void add(const convoke_tensor& tensor, const char* suffix, int64_t n, const void* data);
  void finish();

 private:
  void put(const void* data, uint64_t bytes);  // padded

  const char* path_;
  int file_;
  uint64_t count_ = 0;
};

}  // namespace convoke::run
