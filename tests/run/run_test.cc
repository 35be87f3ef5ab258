// convoke-run from the outside: files in, files out, messages and exit codes. And the tensor file by itself.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "runtime/base/file.h"
#include "runtime/io/tensor_file.h"

using namespace convoke;

namespace {

const std::string kInput = std::string(TEST_FOLDER) + "/input.tensors";
const std::string kOutput = std::string(TEST_FOLDER) + "/output.tensors";

struct Outcome {
  int code;
  std::string text;  // of both streams
};

Outcome run(const std::string& arguments) {
  // The program ends without freeing anything, on purpose.
  FILE* pipe =
      popen(("ASAN_OPTIONS=detect_leaks=0 " + std::string(CONVOKE_RUN) + " " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  Outcome outcome{};
  char buffer[512];
  while (size_t got = fread(buffer, 1, sizeof buffer, pipe)) outcome.text.append(buffer, got);
  outcome.code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

Outcome run_mode(const std::string& mode, const std::string& options = "") {
  return run(std::string(TINY_LIBRARY) + " " + mode + " " + kInput + " " + kOutput + " " + options);
}

std::vector<float> pattern(int64_t count, int seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[static_cast<size_t>(i)] = static_cast<float>((i * 37 + seed * 101) % 97) / 48.0f - 1.0f;
  }
  return values;
}

std::vector<NamedTensor> inputs(int64_t samples) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < samples; ++i) labels.push_back(static_cast<int32_t>(i % 5));
  return {f32_tensor("x", {samples, 4, 4, 3}, pattern(samples * 48, 1)), i32_tensor("labels", {samples}, labels),
          f32_tensor("fc.weight", {5, 48}, pattern(240, 2)), f32_tensor("fc.bias", {5}, pattern(5, 3)),
          f32_tensor("mean", {5}, pattern(5, 4))};
}

void write_input(const std::vector<NamedTensor>& tensors) {
  REQUIRE(write_file_atomic(kInput, serialize_tensors(tensors)).ok());
}

NamedTensor output(const std::string& name) {
  Result<std::string> bytes = read_file(kOutput);
  REQUIRE(bytes.ok());
  Result<std::vector<NamedTensor>> tensors = parse_tensors(*bytes);
  REQUIRE_MESSAGE(tensors.ok(), tensors.status().message());
  for (const NamedTensor& tensor : *tensors) {
    if (tensor.name == name) return tensor;
  }
  FAIL("no tensor ", name);
  return {};
}

}  // namespace

TEST_CASE("tensor files: round trip, and damage at every length is noticed") {
  const std::string bytes = serialize_tensors(inputs(2));
  const Result<std::vector<NamedTensor>> back = parse_tensors(bytes);
  REQUIRE(back.ok());
  CHECK(serialize_tensors(*back) == bytes);
  CHECK(f32_values((*back)[3]) == pattern(5, 3));
  for (size_t length = 0; length < bytes.size(); length += 8) CHECK_FALSE(parse_tensors(bytes.substr(0, length)).ok());
  std::string lying = bytes;
  lying[16 + 4 + 4 + 4 + 4 + 7] = 0x7f;  // the first dimension
  CHECK_FALSE(parse_tensors(lying).ok());
}

TEST_CASE("infer: any number of samples, in calls of n") {
  write_input(inputs(11));
  const Outcome outcome = run_mode("infer", "--n 4 --threads 2 --time 3 --profile");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.text.find("infer_ns ") != std::string::npos);
  CHECK(outcome.text.find("profile infer ") != std::string::npos);
  const NamedTensor y = output("fc");
  CHECK(y.dims == std::vector<int64_t>{11, 5});
  const std::vector<float> x = pattern(11 * 48, 1), w = pattern(240, 2), b = pattern(5, 3), got = f32_values(y);
  for (size_t i = 0; i < got.size(); ++i) {
    double sum = static_cast<double>(b[i % 5]);
    for (size_t k = 0; k < 48; ++k) sum += double{w[i % 5 * 48 + k]} * double{x[i / 5 * 48 + k]};
    REQUIRE(static_cast<double>(got[i]) == doctest::Approx(sum).epsilon(1e-5));
  }
}

TEST_CASE("train: the loss falls, everything is written") {
  write_input(inputs(11));
  const Outcome outcome = run_mode("train", "--n 8 --steps 6 --lr 0.01");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  const std::vector<float> losses = f32_values(output("loss"));
  REQUIRE(losses.size() == 6);
  CHECK(losses[4] < losses[0]);
  for (const char* name : {"fc", "fc.weight", "fc.bias", "mean", "fc.weight.grad", "fc.bias.momentum", "accuracy"}) {
    output(name);
  }
}

TEST_CASE("forward, and backward from given output gradients") {
  std::vector<NamedTensor> tensors = inputs(2);
  tensors.push_back(f32_tensor("fc.grad", {2, 5}, pattern(10, 6)));
  write_input(tensors);
  const Outcome outcome = run_mode("forward");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  const std::vector<float> db = f32_values(output("fc.bias.grad")), dy = pattern(10, 6);
  for (size_t o = 0; o < 5; ++o) CHECK(db[o] == doctest::Approx(dy[o] + dy[5 + o]));
}

TEST_CASE("errors end with code 1 and say what is wrong") {
  write_input({f32_tensor("x", {1, 4, 4, 3}, pattern(48, 1))});
  CHECK(run_mode("infer", "--seed 3").code == 0);
  const auto fails_with = [](const Outcome& outcome, const std::string& message) {
    CAPTURE(outcome.text);
    CHECK(outcome.code == 1);
    CHECK(outcome.text.find(message) != std::string::npos);
  };
  fails_with(run_mode("infer"), "has no tensor 'fc.weight' (--seed S initialises)");
  fails_with(run_mode("train", "--seed 3"), "has no tensor 'labels'");
  fails_with(run_mode("infer", "--seed 3 --n 2"), "--n is 2, there are 1 samples and room for 8");
  fails_with(run_mode("infer", "--seed 3 --model other"), "has no function other_library");
  fails_with(run_mode("infer", "--threads none"), "--threads wants a number from 1 to 64, not 'none'");
  fails_with(run_mode("infer", "--fast"), "unknown option --fast");
  fails_with(run_mode("fly"), "unknown mode 'fly'");
  fails_with(run("/nowhere.so infer a b"), "/nowhere.so");
  fails_with(run(""), "usage: convoke-run");
  fails_with(run(std::string(TINY_LIBRARY) + " infer /nowhere " + kOutput), "cannot open /nowhere");
  REQUIRE(write_file_atomic(kInput, "no tensors here, only text").ok());
  fails_with(run_mode("infer"), "is not a tensor file");
  std::vector<NamedTensor> tensors = inputs(2);
  tensors[1] = i32_tensor("labels", {2}, {0, 9});
  write_input(tensors);
  fails_with(run_mode("train"), "forward_backward: labels[1] is 9, expected 0 to 4");
}
