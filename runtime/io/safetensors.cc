#include "runtime/io/safetensors.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "runtime/base/checked.h"

namespace convoke {
namespace {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

constexpr uint64_t kMostHeaderBytes = 100 << 20;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";
constexpr std::string_view kZeroDigits = "0000000000000000";

struct DtypeBytes {
  std::string_view name;
  int64_t bytes;
};
constexpr std::array<DtypeBytes, 14> kDtypes = {{{"BF16", 2},
                                                 {"BOOL", 1},
                                                 {"F16", 2},
                                                 {"F32", 4},
                                                 {"F64", 8},
                                                 {"F8_E4M3", 1},
                                                 {"F8_E5M2", 1},
                                                 {"I16", 2},
                                                 {"I32", 4},
                                                 {"I64", 8},
                                                 {"I8", 1},
                                                 {"U16", 2},
                                                 {"U32", 4},
                                                 {"U8", 1}}};

// A list of non-negative integers, as the format wants for shapes and offsets.
Result<std::vector<int64_t>> integers(const json& entry, const char* key, const std::string& where) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) return data_loss(where + ": has no list '" + key + "'");
  std::vector<int64_t> values;
  for (const json& value : *found) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
      return data_loss(where + ": '" + key + "' holds " + value.dump(-1, ' ', false, json::error_handler_t::replace) +
                       ", expected integers of at least 0");
    }
    values.push_back(static_cast<int64_t>(value.get<uint64_t>()));
  }
  return values;
}

struct Range {
  int64_t begin, end;
  std::string name;
};

Result<Range> parse_tensor(const json& entry, const std::string& where, std::string_view data, SafeTensor* tensor) {
  if (!entry.is_object()) return data_loss(where + ": is not described by an object");
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) return data_loss(where + ": has no dtype");
  tensor->dtype = dtype->get<std::string>();
  const auto known = std::find_if(kDtypes.begin(), kDtypes.end(),
                                  [&](const DtypeBytes& candidate) { return candidate.name == tensor->dtype; });
  if (known == kDtypes.end()) return invalid_argument(where + ": unknown dtype '" + tensor->dtype + "'");
  ASSIGN_OR_RETURN(tensor->shape, integers(entry, "shape", where));
  ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, integers(entry, "data_offsets", where));
  const int64_t size = static_cast<int64_t>(data.size());
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > size) {
    return data_loss(where + ": its data_offsets do not lie in the file's " + std::to_string(size) +
                     " bytes of data; the file may be truncated");
  }
  const std::optional<int64_t> elems = checked_product(tensor->shape);
  const std::optional<int64_t> bytes = elems ? checked_mul(*elems, known->bytes) : std::nullopt;
  if (!bytes || *bytes != offsets[1] - offsets[0]) {
    return data_loss(where + ": " + tensor->dtype + " " + shape_text(tensor->shape) + " does not fit its " +
                     std::to_string(offsets[1] - offsets[0]) + " bytes");
  }
  tensor->bytes = data.substr(static_cast<size_t>(offsets[0]), static_cast<size_t>(*bytes));
  return Range{offsets[0], offsets[1], {}};
}

Status check_cover(std::vector<Range> ranges, int64_t size, const std::string& path) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  int64_t at = 0;
  for (const Range& range : ranges) {
    if (range.begin != at) {
      return data_loss(path + ": tensor '" + range.name + "' " +
                       (range.begin < at ? "overlaps" : "leaves a gap behind") + " the one before it");
    }
    at = range.end;
  }
  if (at != size) return data_loss(path + ": " + std::to_string(size - at) + " bytes behind the last tensor");
  return ok_status();
}

// Where the checksum's digits are in a serialized header, or npos. JSON escapes quotes, so no name can look like it.
size_t checksum_at(std::string_view header, const std::string& key) {
  const std::string before = "\"" + key + "\":\"";
  const size_t at = header.find(before);
  if (at == std::string_view::npos || at + before.size() + kZeroDigits.size() > header.size()) {
    return std::string_view::npos;
  }
  return at + before.size();
}

std::string hex_digits(uint64_t value) {
  std::string digits(kZeroDigits);
  for (size_t i = digits.size(); i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

Result<std::string_view> header_of(std::string_view bytes, const std::string& path) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) {
    return data_loss(path + ": has " + std::to_string(bytes.size()) + " bytes, too few for a safetensors file");
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMostHeaderBytes || length > bytes.size() - sizeof length) {
    return data_loss(path + ": claims a header of " + std::to_string(length) + " bytes, the file has " +
                     std::to_string(bytes.size() - sizeof length) + "; truncated, or not a safetensors file");
  }
  return bytes.substr(sizeof length, static_cast<size_t>(length));
}

// nlohmann's parser recurses on nothing, but a value of it does when it is destroyed or copied.
bool nests_deeper_than(std::string_view text, int limit) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\') ++i;
      if (text[i < text.size() ? i : text.size() - 1] == '"') quoted = false;
      continue;
    }
    if (text[i] == '"') quoted = true;
    if (text[i] == '{' || text[i] == '[') ++depth;
    if (text[i] == '}' || text[i] == ']') --depth;
    if (depth > limit) return true;
  }
  return false;
}

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t dim : shape) text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text.empty() ? "scalar" : text;
}

Result<SafeTensors> parse_safetensors(std::string_view bytes, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string_view header, header_of(bytes, path));
  const std::string_view data = bytes.substr(sizeof(uint64_t) + header.size());
  const json parsed = nests_deeper_than(header, 4) ? json(json::value_t::discarded)
                                                   : json::parse(header.begin(), header.end(), nullptr, false);
  if (!parsed.is_object()) return data_loss(path + ": its header is not a JSON object; not a safetensors file");
  SafeTensors file;
  std::vector<Range> ranges;
  for (const auto& [name, entry] : parsed.items()) {
    if (name == kMetadata) {
      if (!entry.is_object()) return data_loss(path + ": __metadata__ is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return data_loss(path + ": __metadata__ '" + key + "' is not a string");
        file.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    ASSIGN_OR_RETURN(Range range, parse_tensor(entry, path + ": tensor '" + name + "'", data, &file.tensors[name]));
    range.name = name;
    ranges.push_back(std::move(range));
  }
  RETURN_IF_ERROR(check_cover(std::move(ranges), static_cast<int64_t>(data.size()), path));
  return file;
}

std::string serialize_safetensors(const SafeTensors& file, const std::string& checksum_key) {
  json header = json::object();
  for (const auto& [key, value] : file.metadata) header[kMetadata][key] = value;
  if (!checksum_key.empty()) header[kMetadata][checksum_key] = kZeroDigits;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    ENSURE(tensor.dtype == "F32" && checked_product(tensor.shape) == int64_t(tensor.bytes.size() / 4)) << name;
    header[name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins aligned
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.reserve(sizeof length + text.size() + offset);
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) bytes += tensor.bytes;
  if (!checksum_key.empty()) {
    const uint64_t hash = XXH64(bytes.data(), bytes.size(), 0);
    bytes.replace(sizeof length + checksum_at(text, checksum_key), kZeroDigits.size(), hex_digits(hash));
  }
  return bytes;
}

Status check_checksum(std::string_view bytes, const std::string& checksum_key, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string_view header, header_of(bytes, path));
  const size_t in_header = checksum_at(header, checksum_key);
  if (in_header == std::string_view::npos) return data_loss(path + ": has no checksum '" + checksum_key + "'");
  const size_t at = sizeof(uint64_t) + in_header;
  XXH64_state_t* state = XXH64_createState();
  ENSURE(state) << "out of memory";
  XXH64_reset(state, 0);
  XXH64_update(state, bytes.data(), at);
  XXH64_update(state, kZeroDigits.data(), kZeroDigits.size());
  XXH64_update(state, bytes.data() + at + kZeroDigits.size(), bytes.size() - at - kZeroDigits.size());
  const std::string expected = hex_digits(XXH64_digest(state));
  XXH64_freeState(state);
  const std::string_view found = bytes.substr(at, kZeroDigits.size());
  if (found == expected) return ok_status();
  return data_loss(path + ": its checksum is " + std::string(found) + ", its contents hash to " + expected +
                   "; the file is damaged");
}

}  // namespace convoke
