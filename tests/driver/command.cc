#include "tests/driver/command.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/base/file.h"

namespace convoke {
namespace {

constexpr int kSide = 28, kClasses = 10;

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

void write(const std::string& path, const std::string& bytes) { REQUIRE(write_file_atomic(path, bytes).ok()); }

void write_dataset(const std::string& folder, const std::string& name, uint32_t count) {
  std::string images = big_endian(0x00000803) + big_endian(count) + big_endian(kSide) + big_endian(kSide);
  std::string labels = big_endian(0x00000801) + big_endian(count);
  uint32_t random = count;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t label = i * 7 % kClasses;
    labels += static_cast<char>(label);
    for (uint32_t pixel = 0; pixel < kSide * kSide; ++pixel) {
      random = random * 1664525u + 1013904223u;
      const bool bright = pixel / kSide * kClasses / kSide == label;
      images += static_cast<char>((random >> 26) + (bright ? 160 : 0));
    }
  }
  write(folder + "/" + name + "-images", images);
  write(folder + "/" + name + "-labels", labels);
}

}  // namespace

Outcome run(const std::string& command) {
  const std::string folder = TEST_FOLDER, out = folder + "/stdout", err = folder + "/stderr";
  REQUIRE(make_directories(folder).ok());
  const int status = std::system(("( " + command + " ) >" + out + " 2>" + err).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out).value(), read_file(err).value()};
}

Outcome run_convoke(const std::string& arguments) { return run(std::string(CONVOKE) + " " + arguments); }

nlohmann::json run_json(const std::string& arguments) {
  const Outcome outcome = run_convoke(arguments + " --json");
  INFO(outcome.errors);
  REQUIRE(outcome.exit_code == 0);
  return nlohmann::json::parse(outcome.output);
}

std::string empty_folder(const std::string& name) {
  std::string path = std::string(TEST_FOLDER) + "/" + name;
  std::filesystem::remove_all(path);
  REQUIRE(make_directories(path).ok());
  return path;
}

std::string make_recipe(const std::string& folder) {
  write_dataset(folder, "train", 1000);
  write_dataset(folder, "test", 200);
  std::string recipe = R"(name: "bars" model: "model_defs/models/lenet.textproto" epochs: 2 batch_size: 16
dataset { name: "bars" )";
  for (const char* set : {"train", "test"}) {
    for (const char* part : {"images", "labels"}) {
      recipe += std::string(set) + "_" + part + ": \"" + folder + "/" + set + "-" + part + "\" ";
    }
  }
  for (int c = 0; c < kClasses; ++c) recipe += "class_names: \"bar " + std::to_string(c) + "\" ";
  recipe += "}\nschedule { kind: COSINE learning_rate: 0.1 }\n";
  write(folder + "/recipe.textproto", recipe);
  return folder + "/recipe.textproto";
}

}  // namespace convoke
