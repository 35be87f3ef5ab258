// Files of anyone, damaged at random: data sets, weights, checkpoints, pictures, metrics. Each is refused with its path
// and a reason, or read as something consistent; sanitizers look for the rest.
#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdio>
// jpeglib.h needs stdio.h before it
#include <jpeglib.h>

#include <random>

#include "runtime/data/dataset.h"
#include "runtime/io/image.h"
#include "runtime/io/safetensors.h"
#include "runtime/train/metrics.h"
#include "runtime/train/weights_file.h"
#include "tests/runtime/fixture.h"

namespace convoke {
namespace {

using Random = std::mt19937_64;

std::string mutated(std::string bytes, Random& random) {
  for (uint64_t edits = 1 + random() % 4; edits > 0 && !bytes.empty(); --edits) {
    const size_t at = random() % bytes.size(), length = random() % 40;
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
        break;
      case 2:
        bytes.erase(at, length);
        break;
      default:
        bytes.insert(random() % bytes.size(), bytes.substr(at, length));
    }
  }
  return bytes;
}

// A message names its file. Returns whether there is one.
template <typename T>
bool is_refused(const Result<T>& result, const std::string& path) {
  if (result.ok()) return false;
  CHECK_MESSAGE(result.status().message().find(path) != std::string::npos, result.status().message());
  return true;
}

void append_big_endian(std::string& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}

void append_png_chunk(std::string& png, const std::string& type, const std::string& content) {
  append_big_endian(png, static_cast<uint32_t>(content.size()));
  const std::string checked = type + content;
  png += checked;
  append_big_endian(png, static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(checked.data()),
                                                     static_cast<uInt>(checked.size()))));
}

// 8-bit RGB, `side` x `side`, in stored rows without a filter.
std::string png_bytes(uint32_t side) {
  std::string header, rows;
  append_big_endian(header, side);
  append_big_endian(header, side);
  header += std::string("\x08\x02\0\0\0", 5);
  for (uint32_t y = 0; y < side; ++y) {
    rows += '\0';
    for (uint32_t x = 0; x < 3 * side; ++x) rows += static_cast<char>(7 * x + 13 * y);
  }
  std::string packed(compressBound(rows.size()), '\0');
  uLongf size = packed.size();
  REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
                   rows.size()) == Z_OK);
  std::string png = "\x89PNG\r\n\x1a\n";
  append_png_chunk(png, "IHDR", header);
  append_png_chunk(png, "IDAT", packed.substr(0, size));
  append_png_chunk(png, "IEND", "");
  return png;
}

std::string jpeg_bytes(JDIMENSION side) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &out, &size);
  jpeg.image_width = jpeg.image_height = side;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (JDIMENSION y = 0; y < side; ++y) {
    std::vector<JSAMPLE> row(3 * side);
    for (JDIMENSION x = 0; x < 3 * side; ++x) row[x] = static_cast<JSAMPLE>(7 * x + 13 * y);
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string bytes(reinterpret_cast<char*>(out), size);
  jpeg_destroy_compress(&jpeg);
  std::free(out);
  return bytes;
}

}  // namespace

TEST_CASE("IDX files, damaged at random and cut off anywhere") {
  const std::string folder = empty_folder("hostile_idx"), images = folder + "/images", labels = folder + "/labels";
  std::string pixels(6 * 28 * 28, '\0');
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * i % 251);
  const std::string good_images = idx_bytes({6, 28, 28}, pixels), good_labels = idx_bytes({6}, {0, 1, 2, 0, 1, 2});
  Random random(4);
  const auto check = [&](const std::string& image_bytes, const std::string& label_bytes) {
    write_file(images, image_bytes);
    write_file(labels, label_bytes);
    const Result<Dataset> read = read_idx(images, labels, {"a", "b", "c"});
    if (is_refused(read, folder)) return;
    CHECK(static_cast<int64_t>(read->images.size()) == read->count * read->image_elems());
    CHECK(static_cast<int64_t>(read->labels.size()) == read->count);
    for (int32_t label : read->labels) CHECK((label >= 0 && label < 3));
  };
  for (const bool packed : {false, true}) {
    const std::string whole_images = packed ? gzipped(good_images) : good_images;
    const std::string whole_labels = packed ? gzipped(good_labels) : good_labels;
    for (int seed = 0; seed < 150; ++seed) check(mutated(whole_images, random), whole_labels);
    for (int seed = 0; seed < 150; ++seed) check(whole_images, mutated(whole_labels, random));
    for (size_t length = 0; length < whole_images.size(); length += 1 + length / 20) {
      write_file(images, whole_images.substr(0, length));
      write_file(labels, whole_labels);
      CHECK(is_refused(read_idx(images, labels, {}), images));
    }
    for (size_t length = 0; length < whole_labels.size(); ++length) {
      write_file(images, whole_images);
      write_file(labels, whole_labels.substr(0, length));
      CHECK(is_refused(read_idx(images, labels, {}), labels));
    }
  }
}

TEST_CASE("safetensors, damaged at random and cut off anywhere") {
  OutgoingTensors out;
  out.add("conv1.weight", {2, 1, 3, 3}, std::vector<float>(18, 0.5f));
  out.add("conv1.bias", {2}, {5, 6});
  out.file.metadata = {{"format", "pt"}, {"note", "\"quoted\" \\ and \u20ac"}};
  const std::string bytes = serialize_safetensors(out.file, "xxh64");
  Random random(5);
  for (int seed = 0; seed < 5000; ++seed) {
    const std::string mutant = mutated(bytes, random);
    const Result<SafeTensors> read = parse_safetensors(mutant, "some/file");
    if (mutant != bytes) CHECK(!check_checksum(mutant, "xxh64", "some/file").ok());
    if (is_refused(read, "some/file")) continue;
    for (const auto& [name, tensor] : read->tensors) {
      if (tensor.dtype == "F32") tensor_values(tensor);
    }
  }
  for (size_t length = 0; length < bytes.size(); ++length) {
    CHECK(is_refused(parse_safetensors(bytes.substr(0, length), "some/file"), "some/file"));
  }
}

TEST_CASE("Weights of a network with other layers list the first differences only") {
  const Library library = tiny_library();
  const std::string path = empty_folder("other_weights") + "/resnet.safetensors";
  OutgoingTensors other;
  for (int i = 0; i < 30; ++i) other.add("layer" + std::to_string(10 + i) + ".weight", {1}, {1});
  write_file(path, serialize_safetensors(other.file));
  Weights weights = create_weights(library).value();
  CHECK(load_weights(library, weights.get(), path).message() ==
        path +
            ": weights of another model than tiny: 33 differences\n"
            "  missing: fc.weight (5x48)\n"
            "  missing: fc.bias (5)\n"
            "  missing: mean (5)\n"
            "  unexpected: layer10.weight (1)\n"
            "  unexpected: layer11.weight (1)\n"
            "  unexpected: layer12.weight (1)\n"
            "  unexpected: layer13.weight (1)\n"
            "  unexpected: layer14.weight (1)\n"
            "  and 25 more");
  CHECK(load_weights(library, weights.get(), "/nowhere/w.safetensors").code() == Code::kNotFound);
}

TEST_CASE("pictures, damaged at random and cut off anywhere") {
  Random random(6);
  for (const std::string& bytes : {png_bytes(24), jpeg_bytes(24)}) {
    const Result<Image> whole = decode_image(bytes, "a/picture");
    REQUIRE_MESSAGE(whole.ok(), whole.status().message());
    CHECK(whole->width == 24);
    CHECK(whole->pixels.size() == 24 * 24 * 3);
    for (int seed = 0; seed < 1500; ++seed) {
      const Result<Image> image = decode_image(mutated(bytes, random), "a/picture");
      if (is_refused(image, "a/picture")) continue;
      CHECK(image->pixels.size() == static_cast<size_t>(image->width) * image->height * image->channels);
      if (image->width <= 4096 && image->height <= 4096) CHECK(resize(*image, 8, 8).pixels.size() >= 64);
    }
    for (size_t length = 0; length + 16 < bytes.size(); ++length) {
      CHECK(is_refused(decode_image(bytes.substr(0, length), "a/picture"), "a/picture"));
    }
  }
}

TEST_CASE("metrics, damaged at random") {
  std::vector<EpochMetrics> history;
  for (int64_t i = 1; i <= 5; ++i) history.push_back({i, 10 * i, 0.1f, 0.5f, 0.25f, 0.125f, 0.75f});
  const std::string csv = format_metrics(history);
  Random random(7);
  for (int seed = 0; seed < 2000; ++seed) is_refused(parse_metrics(mutated(csv, random), "some/file"), "some/file");
}

}  // namespace convoke
