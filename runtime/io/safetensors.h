// The safetensors format: a 64-bit length, a JSON header {"name": {"dtype", "shape", "data_offsets"}, "__metadata__"},
// then the tensors' bytes without gaps. Reads files of anyone (the header is untrusted), writes F32.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

struct SafeTensor {
  std::string dtype;  // "F32"; others are only described
  std::vector<int64_t> shape;
  std::string_view bytes;  // little endian, row-major; lives as long as the bytes that were parsed
};

// Sorted by name, so that equal contents are equal bytes.
struct SafeTensors {
  std::map<std::string, SafeTensor> tensors;
  std::map<std::string, std::string> metadata;
};

// Checks everything that the header claims: its own size, dtypes, element counts, and that the tensors cover the data
// exactly once. `path` stands in messages.
Result<SafeTensors> parse_safetensors(std::string_view bytes, const std::string& path);

// All tensors must be F32 of the right size (ours to guarantee). With a `checksum_key`, the metadata get that entry:
// the XXH64 of the whole file with the checksum's 16 digits as zeros.
std::string serialize_safetensors(const SafeTensors& file, const std::string& checksum_key = "");

// kDataLoss unless `bytes` carry the checksum under `checksum_key` and it is right.
Status check_checksum(std::string_view bytes, const std::string& checksum_key, const std::string& path);

// "64x3x7x7"; "scalar" for rank 0.
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace convoke
