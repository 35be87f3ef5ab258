// What a compiled library promises where it is shipped: nothing but libc and libm, one symbol, its size, the same bytes
// again, no allocation in a step, a small stack, and the same bits for any number of threads.
#include "tests/e2e/library.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/wait.h>

#include <cmath>
#include <filesystem>
#include <sstream>

#include "runtime/base/file.h"
#include "tests/library/allocations.h"
#include "tests/library/training.h"

namespace convoke {
namespace {

const std::string kLeNet = "model_defs/models/lenet.textproto", kResidual = "tests/library/residual.textproto";
const std::string kCache = "first/kernels";  // of the first of the two compilations from empty caches

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  REQUIRE(pclose(pipe) == 0);
  return text;
}

std::vector<std::string> lines_with(const std::string& text, const std::string& what) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(what) != std::string::npos) found.push_back(line);
  }
  return found;
}

// Compiled once.
const convoke_library& library(const std::string& model, const std::string& name) {
  static std::map<std::string, const convoke_library*> opened;
  const convoke_library*& entry = opened[name];
  if (entry == nullptr) entry = open_library(compile(model, name, kCache).library_path, name);
  return *entry;
}

TEST_CASE("LeNet compiled twice from empty caches: the same bytes") {
  std::vector<std::string> bytes, headers;
  for (const std::string folder : {"first", "second"}) {
    std::filesystem::remove_all(std::string(CONVOKE_BINARY_DIR) + "/tests/library/" + folder);
    const CompiledLibrary compiled = compile(kLeNet, folder, folder + "/kernels");
    CHECK(compiled.kernels_cached == 0);
    bytes.push_back(read_file(compiled.library_path).value());
    headers.push_back(read_file(compiled.header_path).value());
  }
  CHECK(bytes[0] == bytes[1]);
  CHECK(headers[0] == headers[1]);
}

TEST_CASE("LeNet's library needs libc and libm at most, exports one symbol and has at most 200 KB") {
  const CompiledLibrary compiled = compile(kLeNet, "lenet", kCache);
  const std::string dynamic = output_of("readelf -dW " + compiled.library_path);
  for (const std::string& needed : lines_with(dynamic, "(NEEDED)")) {
    INFO(needed);
    const bool known =
        needed.find("[libc.so.6]") != std::string::npos || needed.find("[libm.so.6]") != std::string::npos;
    CHECK(known);
  }
  CHECK(lines_with(dynamic, "(TEXTREL)").empty());
  CHECK(lines_with(dynamic, "PATH)").empty());
  const std::vector<std::string> exported = lines_with(output_of("nm -D --defined-only " + compiled.library_path), " ");
  REQUIRE(exported.size() == 1);
  CHECK(exported[0].find(" T lenet_library") != std::string::npos);
  CHECK(static_cast<int64_t>(std::filesystem::file_size(compiled.library_path)) == compiled.library_bytes);
  CHECK(compiled.library_bytes <= 200 * 1024);
}

std::vector<Images> epoch_of(const convoke_model& model) {
  std::vector<Images> batches;
  for (int seed = 1; seed <= 3; ++seed) batches.push_back(make_images(model, kFullBatch, seed));
  batches.push_back(make_images(model, kLastBatch, 4));
  return batches;
}

void train(Training& training, const std::vector<Images>& batches, int steps) {
  for (int step = 0; step < steps; ++step) training.step(batches[static_cast<size_t>(step) % batches.size()], step + 1);
}

void check_same_bits(const convoke_library& library) {
  const std::vector<Images> batches = epoch_of(*library.model);
  std::vector<std::vector<float>> expected, outputs;
  std::vector<float> losses;
  for (int threads : {1, 2, 3}) {
    INFO("threads ", threads);
    Training training(library, threads);
    train(training, batches, 20);
    std::vector<std::vector<float>> state = training.state();
    std::vector<float>& output = state.emplace_back(kLastBatch * library.model->outputs[0].elems);
    training.infer(batches.back(), output);
    for (const std::vector<float>& tensor : state) {
      double sum = 0;
      for (float value : tensor) sum += std::fabs(value);
      CHECK(sum > 0);
      CHECK(std::isfinite(sum));
    }
    if (threads == 1) {
      expected = state;
      losses = training.losses();
      CHECK(losses.back() < losses.front());
    }
    CHECK(training.losses() == losses);
    REQUIRE(state.size() == expected.size());
    for (size_t t = 0; t < state.size(); ++t) {
      INFO("tensor ", t);
      CHECK(state[t] == expected[t]);
    }
  }
}

TEST_CASE("LeNet: the same bits at 1, 2 and 3 threads over 20 steps with a last partial batch") {
  check_same_bits(library(kLeNet, "lenet"));
}

TEST_CASE("a residual network with batch normalization: the same bits at 1, 2 and 3 threads") {
  check_same_bits(library(kResidual, "residual"));
}

void check_no_allocation(const convoke_library& library) {
  const std::vector<Images> batches = epoch_of(*library.model);
  std::vector<float> outputs(kFullBatch * library.model->outputs[0].elems);
  int64_t before = allocation_count();
  Training training(library, 2);
  CHECK(allocation_count() > before);  // creating does allocate: the count sees the library's calls
  before = allocation_count();
  train(training, batches, 8);
  training.infer(batches[0], outputs);
  training.infer(batches.back(), outputs);
  const int64_t after = allocation_count();
  CHECK(after == before);
}

TEST_CASE("no allocation in a step of training or inference, the first included") {
  check_no_allocation(library(kLeNet, "lenet"));
  check_no_allocation(library(kResidual, "residual"));
}

// All of a library's life on the calling thread.
void* live(void* argument) {
  const auto& library = *static_cast<const convoke_library*>(argument);
  const std::vector<Images> batches = epoch_of(*library.model);
  std::vector<float> outputs(kFullBatch * library.model->outputs[0].elems);
  for (int threads : {1, 2}) {
    Training training(library, threads);
    train(training, batches, 4);
    training.infer(batches[0], outputs);
  }
  return nullptr;
}

// In a child: a stack that is too small ends the process.
int run_on_stack(const convoke_library& library, size_t bytes) {
  const pid_t child = fork();
  if (child == 0) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, bytes);
    pthread_t thread;
    const bool ran = pthread_create(&thread, &attributes, live, const_cast<convoke_library*>(&library)) == 0 &&
                     pthread_join(thread, nullptr) == 0;
    _exit(ran ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST_CASE("a thread with a stack of 256 KB is enough") {
  CHECK(run_on_stack(library(kLeNet, "lenet"), 256 << 10) == 0);
  CHECK(run_on_stack(library(kResidual, "residual"), 256 << 10) == 0);
}

}  // namespace
}  // namespace convoke
