#include "tests/runtime/fixture.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/core/philox.h"

namespace convoke {

std::string empty_folder(const std::string& name) {
  const std::string path = std::string(TEST_FOLDER) + "/" + name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Library tiny_library() {
  Result<Library> library = Library::open(TINY_LIBRARY);
  REQUIRE_MESSAGE(library.ok(), library.status().message());
  return *library;
}

Dataset tiny_dataset(int64_t count, uint64_t seed) {
  Dataset dataset{.count = count, .height = 4, .width = 4, .channels = 3, .class_names = {"a", "b", "c", "d", "e"}};
  for (int64_t i = 0; i < count; ++i) {
    const int32_t label = static_cast<int32_t>(core::philox({{static_cast<uint32_t>(i), 0, 0, 9}}, seed).word[0] % 5);
    dataset.labels.push_back(label);
    for (uint32_t e = 0; e < 48; ++e) {
      const uint32_t noise = core::philox({{static_cast<uint32_t>(i), e, 1, 9}}, seed).word[0] % 100;
      dataset.images.push_back(static_cast<uint8_t>((static_cast<int32_t>(e % 5) == label ? 150u : 0u) + noise));
    }
  }
  return dataset;
}

Recipe tiny_recipe() {
  Recipe recipe;
  recipe.name = "tiny";
  recipe.model = "tiny.textproto";
  recipe.epochs = 3;
  recipe.batch_size = 8;
  recipe.seed = 5;
  recipe.threads = 1;
  recipe.schedule.learning_rate = 0.01;
  recipe.schedule.warmup_epochs = 0.5;
  return recipe;
}

std::string idx_bytes(const std::vector<uint32_t>& dims, const std::string& elems) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dim >> shift & 255);
  }
  return bytes + elems;
}

std::string gzipped(const std::string& bytes) {
  const std::string path = empty_folder("gzip") + "/file.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return file_bytes(path);
}

}  // namespace convoke
