// The safetensors reader against files of anyone, the checksum, and weights of another model.
#include "runtime/io/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>

#include "runtime/train/weights_file.h"
#include "tests/runtime/fixture.h"

namespace convoke {
namespace {

std::string with_header(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

OutgoingTensors example() {
  OutgoingTensors out;
  out.add("conv1.weight", {2, 1, 1, 2}, {1, 2, 3, 4});
  out.add("bias", {2}, {5, 6});
  out.add("scalar", {}, {7});
  out.file.metadata["format"] = "pt";
  return out;
}

}  // namespace

TEST_CASE("safetensors: what was written is read, and equal contents are equal bytes") {
  const std::string bytes = serialize_safetensors(example().file);
  CHECK(bytes == serialize_safetensors(example().file));
  const Result<SafeTensors> read = parse_safetensors(bytes, "file");
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  CHECK(read->tensors.size() == 3);
  CHECK(read->metadata.at("format") == "pt");
  CHECK(read->tensors.at("conv1.weight").shape == std::vector<int64_t>{2, 1, 1, 2});
  CHECK(tensor_values(read->tensors.at("conv1.weight")) == std::vector<float>{1, 2, 3, 4});
  CHECK(tensor_values(read->tensors.at("scalar")) == std::vector<float>{7});
}

TEST_CASE("safetensors: headers that lie") {
  const std::string four(4, 'x'), eight(8, 'x');
  std::string huge_length = with_header("{}", "");
  std::memset(huge_length.data(), 0xff, 8);
  struct Case {
    std::string bytes, message;
  };
  const Case cases[] = {
      {"", "too few"},
      {huge_length, "claims a header of 18446744073709551615 bytes"},
      {with_header("{}", "").substr(0, 9), "claims a header of 2 bytes, the file has 1"},
      {with_header("[1]", ""), "not a JSON object"},
      {with_header("{\"a\":", ""), "not a JSON object"},
      {with_header(std::string(200000, '['), ""), "not a JSON object"},
      {with_header("{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}", ""), "not a JSON object"},
      {with_header("{\"a\":3}", four), "not described by an object"},
      {with_header("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", four), "has no dtype"},
      {with_header("{\"a\":" + tensor("F31", "[1]", "[0,4]") + "}", four), "unknown dtype 'F31'"},
      {with_header("{\"a\":" + tensor("F32", "[2]", "[0,4]") + "}", four), "F32 2 does not fit its 4 bytes"},
      {with_header("{\"a\":" + tensor("F32", "[-1]", "[0,4]") + "}", four), "expected integers"},
      {with_header("{\"a\":" + tensor("F32", "7", "[0,4]") + "}", four), "has no list 'shape'"},
      {with_header("{\"a\":" + tensor("F32", "[1]", "[0,8]") + "}", four), "do not lie in the file's 4 bytes"},
      {with_header("{\"a\":" + tensor("F32", "[1]", "[4,0]") + "}", four), "do not lie"},
      {with_header("{\"a\":" + tensor("F32", "[4294967296,4294967296,4294967296]", "[0,4]") + "}", four),
       "does not fit"},
      {with_header("{\"a\":" + tensor("F32", "[1]", "[0,4]") + "}", eight), "4 bytes behind the last tensor"},
      {with_header("{\"a\":" + tensor("F32", "[1]", "[4,8]") + "}", eight), "leaves a gap"},
      {with_header("{\"a\":" + tensor("F32", "[2]", "[0,8]") + ",\"b\":" + tensor("F32", "[1]", "[4,8]") + "}", eight),
       "'b' overlaps"},
      {with_header("{\"__metadata__\":{\"a\":1}}", ""), "'a' is not a string"},
  };
  for (const Case& bad : cases) {
    const Result<SafeTensors> read = parse_safetensors(bad.bytes, "file");
    REQUIRE_MESSAGE(!read.ok(), bad.message);
    CHECK_MESSAGE(read.status().message().find(bad.message) != std::string::npos, read.status().message());
  }
}

TEST_CASE("safetensors: every damaged byte and every truncation is found by the checksum") {
  const std::string bytes = serialize_safetensors(example().file, "xxh64");
  REQUIRE(check_checksum(bytes, "xxh64", "file").ok());
  REQUIRE(parse_safetensors(bytes, "file").ok());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] ^= 4;
    CHECK_MESSAGE(!check_checksum(damaged, "xxh64", "file").ok(), at);
    CHECK_MESSAGE(!check_checksum(bytes.substr(0, at), "xxh64", "file").ok(), at);
  }
  CHECK(!check_checksum(serialize_safetensors(example().file), "xxh64", "file").ok());
}

TEST_CASE("Weights of another model list their differences, and nothing of them is used") {
  const Library library = tiny_library();
  const std::string path = empty_folder("weights") + "/weights.safetensors";
  Weights weights = create_weights(library).value(), other = create_weights(library).value();
  library.table().weights_initialize(weights.get(), 3);
  REQUIRE(save_weights(library, weights.get(), path).ok());
  REQUIRE(load_weights(library, other.get(), path).ok());
  OutgoingTensors a, after;
  REQUIRE(collect_weights(library, weights.get(), &a).ok());

  OutgoingTensors wrong;
  wrong.add("fc.weight", {5, 47}, std::vector<float>(235));
  wrong.add("fc2.bias", {1}, {1});
  wrong.add("mean", {5}, std::vector<float>(5, 9));
  write_file(path, serialize_safetensors(wrong.file));
  const std::string message = load_weights(library, other.get(), path).message();
  CHECK_MESSAGE(message.find("weights of another model than tiny: 3 differences") != std::string::npos, message);
  CHECK(message.find("shape: fc.weight is 5x47, expected 5x48") != std::string::npos);
  CHECK(message.find("missing: fc.bias (5)") != std::string::npos);
  CHECK(message.find("unexpected: fc2.bias (1)") != std::string::npos);
  REQUIRE(collect_weights(library, other.get(), &after).ok());
  CHECK(after.values == a.values);
}

}  // namespace convoke
