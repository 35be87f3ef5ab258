// Two linear layers as a plan written by hand, what they should compute, and a place to compile them into.
#pragma once

#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"

namespace convoke {

struct TinyModel {
  Plan plan;
  ModelDescription description;
};
inline constexpr int kFeatures = 10, kHidden = 7, kClasses = 3, kCapacity = 5;

TinyModel tiny_model(const TargetSpec& target);
TargetSpec target_named(const std::string& name);

std::vector<float> pattern(int64_t count, int seed);
std::vector<float> expected_outputs(int n);  // of the pattern weights and inputs (seeds 1, 2, 3, 4; x: 5)

// An empty folder under the build directory.
std::string fresh_folder(const std::string& name);

struct Outcome {
  int code;
  std::string text;  // stdout and stderr
};
Outcome run_command(const std::string& command);

}  // namespace convoke
