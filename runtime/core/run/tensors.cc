// Reading and writing files of named tensors; see tensors.h.
#include "runtime/core/run/tensors.h"

namespace convoke::run {
namespace {

constexpr int kReadOnly = 0, kCreateTruncate = 01 | 0100 | 01000, kFromStart = 0, kFromEnd = 2;

uint8_t* read_whole(const char* path, uint64_t* bytes) {
  const int file = open(path, kReadOnly);
  if (file < 0) fail("cannot open %s", path);
  const long size = lseek(file, 0, kFromEnd);
  if (size < 0 || lseek(file, 0, kFromStart) < 0) fail("cannot read %s", path);
  uint8_t* data = allocate<uint8_t>(size);
  for (long done = 0; done < size;) {
    const long got = read(file, data + done, static_cast<size_t>(size - done));
    if (got <= 0) fail("cannot read %s", path);
    done += got;
  }
  close(file);
  *bytes = static_cast<uint64_t>(size);
  return data;
}

// Product of the dimensions; -1: not a sensible header.
int64_t checked_elems(const TensorHeader& header) {
  if (header.rank < 0 || header.rank > 8 || header.dtype < CONVOKE_F32 || header.dtype > CONVOKE_U8) return -1;
  int64_t elems = 1, bytes;
  for (int32_t d = 0; d < header.rank; ++d) {
    if (header.dims[d] < 0 || __builtin_mul_overflow(elems, header.dims[d], &elems)) return -1;
  }
  if (__builtin_mul_overflow(elems, int64_t{header.dtype == CONVOKE_U8 ? 1 : 4}, &bytes)) return -1;
  return static_cast<uint64_t>(bytes) == header.data_bytes ? elems : -1;
}

}  // namespace

TensorFile read_tensors(const char* path) {
  uint64_t size;
  const uint8_t* bytes = read_whole(path, &size);
  TensorFileHeader head;
  if (size < sizeof head) fail("%s is not a tensor file", path);
  memcpy(&head, bytes, sizeof head);
  if (head.magic != kTensorFileMagic || head.count > size / sizeof(TensorHeader)) fail("%s is not a tensor file", path);
  TensorFile file = {path, allocate<TensorView>(static_cast<int64_t>(head.count)), static_cast<int64_t>(head.count)};
  uint64_t at = sizeof head;
  for (uint64_t i = 0; i < head.count; ++i) {
    TensorView& tensor = file.tensors[i];
    const long long number = static_cast<long long>(i);
    if (size - at < sizeof tensor.header) fail("%s ends in tensor %lld", path, number);
    memcpy(&tensor.header, bytes + at, sizeof tensor.header);
    at += sizeof tensor.header;
    tensor.elems = checked_elems(tensor.header);
    if (tensor.elems < 0) fail("%s is damaged in tensor %lld", path, number);
    const uint64_t name_bytes = pad8(tensor.header.name_bytes), data_bytes = pad8(tensor.header.data_bytes);
    if (name_bytes > size - at || data_bytes > size - at - name_bytes) fail("%s ends in tensor %lld", path, number);
    char* name = allocate<char>(static_cast<int64_t>(tensor.header.name_bytes) + 1);
    memcpy(name, bytes + at, tensor.header.name_bytes);
    name[tensor.header.name_bytes] = 0;
    tensor.name = name;
    tensor.data = bytes + at + name_bytes;
    at += name_bytes + data_bytes;
  }
  return file;
}

const TensorView* find(const TensorFile& file, const char* name) {
  for (int64_t i = 0; i < file.count; ++i) {
    if (strcmp(file.tensors[i].name, name) == 0) return &file.tensors[i];
  }
  return nullptr;
}

TensorWriter::TensorWriter(const char* path) : path_(path), file_(open(path, kCreateTruncate, 0644)) {
  if (file_ < 0) fail("cannot write %s", path);
  const TensorFileHeader head = {kTensorFileMagic, 0};
  put(&head, sizeof head);
}

void TensorWriter::put(const void* data, uint64_t bytes) {
  const char* from = static_cast<const char*>(data);
  for (uint64_t rest = bytes; rest;) {
    const long written = write(file_, from, rest);
    if (written <= 0) fail("cannot write %s", path_);
    from += written;
    rest -= static_cast<uint64_t>(written);
  }
  constexpr char kZeros[8] = {};
  const uint64_t padding = pad8(bytes) - bytes;
  if (padding && write(file_, kZeros, padding) != static_cast<long>(padding)) fail("cannot write %s", path_);
}

void TensorWriter::add(const convoke_tensor& tensor, const char* suffix, int64_t n, const void* data) {
  char name[512];
  const int length = snprintf(name, sizeof name, "%s%s", tensor.name, suffix);
  TensorHeader header = {};
  header.name_bytes = static_cast<uint32_t>(length);
  header.dtype = tensor.dtype;
  header.rank = tensor.rank;
  header.data_bytes = tensor.dtype == CONVOKE_U8 ? 1 : 4;
  for (int32_t d = 0; d < tensor.rank; ++d) {
    header.dims[d] = tensor.dims[d] < 0 ? n : tensor.dims[d];
    header.data_bytes *= static_cast<uint64_t>(header.dims[d]);
  }
  put(&header, sizeof header);
  put(name, static_cast<uint64_t>(length));
  put(data, header.data_bytes);
  ++count_;
}

void TensorWriter::finish() {
  if (lseek(file_, 0, kFromStart) != 0) fail("cannot write %s", path_);
  const TensorFileHeader head = {kTensorFileMagic, count_};
  put(&head, sizeof head);
  if (close(file_) != 0) fail("cannot write %s", path_);
}

}  // namespace convoke::run
