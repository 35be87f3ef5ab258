// generated/ holds what the compiler makes of the zoo, by the defaults of its templates: a change of it is seen in
// review. CONVOKE_UPDATE=1 build/release/tests/generated/test_generated writes it anew.
#include <doctest/doctest.h>

#include <cstdlib>

#include "compiler/driver/compile_model.h"
#include "compiler/ir/text.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

struct Snapshot {
  const char *model, *target;
};
// The small model shows what targets differ in.
constexpr Snapshot kSnapshots[] = {
    {"lenet", "arm-64"},           {"lenet", "x86-64-avx2"},
    {"lenet", "x86-64-avx512"},    {"resnet18_small", "x86-64-avx512"},
    {"resnet18", "x86-64-avx512"},
};

// Where two texts differ first.
std::string first_difference(const std::string& found, const std::string& expected) {
  size_t line = 1, begin = 0;
  for (size_t i = 0; i < std::min(found.size(), expected.size()) && found[i] == expected[i]; ++i) {
    if (found[i] == '\n') ++line, begin = i + 1;
  }
  const auto line_of = [&](const std::string& text) {
    return text.size() <= begin ? "(end)" : text.substr(begin, text.find('\n', begin) - begin);
  };
  return "line " + std::to_string(line) + "\n  now  " + line_of(found) + "\n  was  " + line_of(expected);
}

void check_snapshot(const std::string& path, const std::string& text) {
  if (std::getenv("CONVOKE_UPDATE") != nullptr) {
    REQUIRE(write_file_atomic(path, text).ok());
    return;
  }
  const Result<std::string> expected = read_file(path);
  const std::string what =
      path + (expected.ok() ? " " + first_difference(text, *expected) : ": missing") +
      "\nIf the change is meant: CONVOKE_UPDATE=1 build/release/tests/generated/test_generated, and review git diff";
  INFO(what);
  CHECK((expected.ok() && text == *expected));
}

TEST_CASE("graphs and plans of the zoo are as committed") {
  for (const auto& [model, target] : kSnapshots) {
    const std::string folder = std::string("generated/") + model + "." + target;
    REQUIRE(make_directories(folder).ok());
    const Result<PlannedModel> planned = plan_model(
        {.model = std::string("model_defs/models/") + model + ".textproto", .target = target, .tuned = kNoTuned});
    REQUIRE_MESSAGE(planned.ok(), planned.status().message());
    check_snapshot(folder + "/graph.txt", print(planned->inference) + "\n" + print(planned->training));
    check_snapshot(folder + "/plan.txt", print(planned->plan));
  }
}

TEST_CASE("LeNet's header is as committed") {
  const std::string folder = std::string(CONVOKE_BINARY_DIR) + "/generated";
  const Result<CompiledLibrary> library =
      compile_model({.model = "model_defs/models/lenet.textproto", .target = "x86-64-avx512", .tuned = kNoTuned},
                    {.output_directory = folder, .cache_directory = user_cache_directory()});
  REQUIRE_MESSAGE(library.ok(), library.status().message());
  check_snapshot("generated/lenet.x86-64-avx512/lenet.h", read_file(library->header_path).value());
}

}  // namespace
}  // namespace convoke
