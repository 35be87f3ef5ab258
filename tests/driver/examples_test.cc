// runtime/examples with plain cc, against libraries that the command made.
#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/base/file.h"
#include "tests/driver/command.h"

namespace convoke {
namespace {

void compile_example(const std::string& folder, const std::string& name) {
  const Outcome outcome =
      run("cc -std=c99 -Wall -Wextra -Werror -pedantic runtime/examples/" + name + ".c -I" + folder + " " + folder +
          "/lenet.so " + folder + "/resnet18_small.so -Wl,-rpath," + folder + " -pthread -o " + folder + "/" + name);
  INFO(outcome.errors);
  REQUIRE(outcome.exit_code == 0);
}

TEST_CASE("the examples on real libraries") {
  const std::string folder = empty_folder("examples"), recipe = make_recipe(folder);
  run_json("train " + recipe + " --runs " + folder + "/runs");
  run_json("compile model_defs/models/lenet.textproto --recipe " + recipe + " --weights " + folder +
           "/runs/bars/weights.safetensors --out " + folder);
  run_json("compile model_defs/models/resnet18_small.textproto --batch 1 --inference-only --out " + folder);

  SUBCASE("classify: a raw image of class 7") {
    compile_example(folder, "classify");
    constexpr size_t kHeader = 16, kImage = 28 * 28;
    const std::string images = read_file(folder + "/test-images").value();
    REQUIRE(write_file_atomic(folder + "/image", images.substr(kHeader + kImage, kImage)).ok());  // label 1 * 7 % 10
    const Outcome outcome = run(folder + "/classify " + folder + "/image " + folder + "/lenet.weights");
    CHECK(outcome.output.starts_with("bar 7, logit "));
    CHECK(run(folder + "/classify /nowhere " + folder + "/lenet.weights").exit_code == 1);
    const std::string source = read_file("runtime/examples/classify.c").value();
    CHECK(std::count(source.begin(), source.end(), '\n') <= 30);
  }
  SUBCASE("train_100_steps: the loss falls") {
    compile_example(folder, "train_100_steps");
    CHECK(run(folder + "/train_100_steps").exit_code == 0);
  }
  SUBCASE("two_libraries: one pool, the same results") {
    compile_example(folder, "two_libraries");
    const Outcome outcome = run(folder + "/two_libraries");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.output == "lenet: 50 calls, 0 differed\nresnet18_small: 50 calls, 0 differed\n");
  }
}

}  // namespace
}  // namespace convoke
