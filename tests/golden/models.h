// The models of make.py, their optimizers and their data.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/compile_model.h"
#include "compiler/ops/tensor.h"

namespace convoke {

inline constexpr OptimizerOptions kSgd = {.kind = OptimizerOptions::kSgd, .momentum = 0.9, .weight_decay = 5e-4};
inline constexpr OptimizerOptions kAdam = {.kind = OptimizerOptions::kAdam};

// `options.model` is a name in model_defs/models. Ends the test on an error.
PlannedModel plan_golden(ModelOptions options);

// Batches of one size, by the formula.
struct GoldenData {
  uint64_t seed;
  std::vector<int64_t> dims;
  uint64_t classes;
  Tensor images(int index) const;
  Tensor labels(int index) const;
};

// The 20 losses of LeNet, over four batches again and again.
struct LeNetCurve {
  const char* name;
  OptimizerOptions optimizer;
  float learning_rate;
};
inline constexpr LeNetCurve kLeNetCurves[] = {{"losses/sgd", kSgd, 0.01f}, {"losses/adam", kAdam, 0.001f}};

}  // namespace convoke
