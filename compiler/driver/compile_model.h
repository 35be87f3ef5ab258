// From a model definition to a library, all stages in order. What the verbs share; tests compile through it too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/autodiff/update.h"
#include "compiler/codegen/codegen.h"
#include "compiler/frontend/import.h"
#include "compiler/passes/passes.h"

namespace convoke {

inline constexpr const char* kNoTuned = "none";

// What a library depends on beside the compiler.
struct ModelOptions {
  std::string model;  // path of the definition
  ImportOptions input;
  std::string target = "host";
  // Tuned schedules instead of those built in: a database file; kNoTuned: templates' defaults alone.
  std::string tuned;
  bool strict = false;   // results rounded as the ops' own sums are: no Winograd convolutions
  int64_t batch = 64;    // capacity: the largest n of a call
  bool training = true;  // forward in training mode, loss, backward, update too
  OptimizerOptions optimizer;
  double label_smoothing = 0;
  std::vector<std::string> freeze;  // regular expressions of layers that are not trained
  std::string keep;                 // regular expression of values that are not fused away, for captures
  std::optional<ImageTransform> image;
  std::vector<std::string> class_names;
};

struct PlannedModel {
  TargetSpec target;
  Graph imported, inference, training;  // training: empty without it
  Plan plan;
  ModelDescription description;
};

// Everything but code. `inference_pass` and `training_pass` see each pass's result.
struct PlanObserver {
  PassObserver inference_pass, training_pass;
};
Result<PlannedModel> plan_model(const ModelOptions& options, const PlanObserver& observer = {});

Result<CompiledLibrary> compile_planned(const PlannedModel& planned, const CodegenOptions& options);

// Both. The caller must be single-threaded.
Result<CompiledLibrary> compile_model(const ModelOptions& options, const CodegenOptions& codegen);

// The user's cache of compiled kernels.
std::string user_cache_directory();

}  // namespace convoke
