// weights_save and weights_open over the hand-written plan: what is prepared when, and what is refused.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "runtime/core/state.h"
#include "tests/core/tiny_plan.h"

using namespace convoke::core;

namespace {

const std::string kPath = "tiny.weights";  // in the test's own folder

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

struct Refusal {
  int32_t code;
  std::string message;
};

Refusal open_refused(const char* path) {
  convoke_error error = {};
  convoke_weights* weights = nullptr;
  const int32_t code = library().weights_open(path, &weights, &error);
  CHECK(weights == nullptr);
  CHECK(error.code == code);
  return {code, error.message};
}

}  // namespace

TEST_CASE("saving prepares, opened weights are prepared") {
  Session session;
  kernel_calls.prepare = 0;
  REQUIRE(library().weights_save(session.context, kPath.c_str(), nullptr) == CONVOKE_OK);
  CHECK(kernel_calls.prepare == 1);
  convoke_weights* weights = nullptr;
  convoke_context* context = nullptr;
  REQUIRE(library().weights_open(kPath.c_str(), &weights, nullptr) == CONVOKE_OK);
  REQUIRE(library().context_create(weights, nullptr, &context, nullptr) == CONVOKE_OK);
  const std::vector<float> x = pattern(kInputs, 1);
  const void* inputs[] = {x.data()};
  CHECK(library().infer(context, 1, inputs, nullptr, nullptr) == CONVOKE_OK);
  CHECK(kernel_calls.prepare == 1);
  library().weights_initialize(weights, 8);
  CHECK(library().infer(context, 1, inputs, nullptr, nullptr) == CONVOKE_OK);
  CHECK(kernel_calls.prepare == 2);
  library().context_destroy(context);
  library().weights_destroy(weights);
  std::remove(kPath.c_str());
}

TEST_CASE("what cannot be written or is no file of this library's weights is refused") {
  Session session;
  convoke_error error = {};
  CHECK(library().weights_save(nullptr, "x", &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(library().weights_save(session.context, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(library().weights_save(session.context, "/nowhere/x", &error) == CONVOKE_IO);
  CHECK(std::string(error.message) == "weights_save: cannot create /nowhere/x: No such file or directory");
  CHECK(open_refused(nullptr).message == "weights_open: path is NULL");
  const Refusal missing = open_refused("/nowhere/x");
  CHECK(missing.code == CONVOKE_IO);
  CHECK(missing.message == "weights_open: cannot open /nowhere/x: No such file or directory");
  CHECK(open_refused("/").code == CONVOKE_IO);

  REQUIRE(library().weights_save(session.context, kPath.c_str(), nullptr) == CONVOKE_OK);
  const std::string good = read(kPath);
  write(kPath, good.substr(0, good.size() - 1));
  const std::string expected = std::to_string(good.size());
  CHECK(open_refused(kPath.c_str()).message ==
        "weights_open: tiny.weights has " + std::to_string(good.size() - 1) + " bytes, expected " + expected);
  std::string other = good;
  other[other.find("0123456789abcdef")] = 'f';
  write(kPath, other);
  CHECK(open_refused(kPath.c_str()).code == CONVOKE_FAILED_PRECONDITION);
  for (const std::string& bytes : {std::string(), std::string("{}"), std::string(good.size(), 'x')}) {
    write(kPath, bytes);
    const Refusal refused = open_refused(kPath.c_str());
    CHECK(refused.code == CONVOKE_INVALID_ARGUMENT);
    CHECK(refused.message.find("is not a file of weights_save") != std::string::npos);
  }
  std::remove(kPath.c_str());
}
