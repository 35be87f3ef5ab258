// The file of named tensors that convoke-run reads and writes: a header, then for each tensor its own header, its name
// and its data, both padded with zeros to a multiple of 8 bytes. Little endian. Freestanding: convoke-run includes it
// on any target.
#pragma once

#include <stdint.h>

namespace convoke {

constexpr uint64_t kTensorFileMagic = 0x31534e45544b5643;  // "CVKTENS1"

struct TensorFileHeader {
  uint64_t magic;
  uint64_t count;
};

struct TensorHeader {
  uint32_t name_bytes;  // without a final zero
  int32_t dtype;        // convoke_dtype
  int32_t rank;
  int32_t reserved;
  int64_t dims[8];  // the batch is a number here
  uint64_t data_bytes;
};
static_assert(sizeof(TensorFileHeader) == 16 && sizeof(TensorHeader) == 88);

constexpr uint64_t pad8(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace convoke
