// From a Plan to a native library: kernels become objects (each compiled by Halide in a forked child, cached by
// content), the plan becomes constants (LLVM), LLD links both with the core into <model>.so, and <model>.h
// states the ABI.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/kernels/plan.h"
#include "runtime/base/status.h"
#include "schedules/targets/target.h"

namespace convoke {

struct TensorDescription {
  std::string name;  // parameters and states: the state-dict path
  Type type;
  convoke_init init = CONVOKE_ZEROS;
  double init_value = 0;  // CONVOKE_UNIFORM: the bound; CONVOKE_NORMAL: the standard deviation
};

// How 8-bit pixels become the first input: (pixel * scale - mean[c]) / std[c].
struct ImageTransform {
  double scale = 1.0 / 255;
  std::vector<double> mean, std;  // one a channel, at most four
};

// What a library says about itself beside its plan. Order of inputs, outputs, parameters and states: the plan's.
struct ModelDescription {
  std::string name;
  std::vector<TensorDescription> inputs, outputs, parameters, states;
  bool has_training = false;
  std::optional<ImageTransform> image;
  int class_count = 0;
  std::vector<std::string> class_names;  // empty, or class_count of them
};

enum class Symbols { kKeep, kStrip };  // of the finished library (the exported one always stays)

struct CodegenOptions {
  std::string output_directory;  // receives <model>.so and <model>.h; made when missing
  std::string cache_directory;   // of compiled kernels; empty: none is kept
  int workers = 0;               // children at once; 0: one a core
  Symbols symbols = Symbols::kKeep;
  // Called when a kernel's object is there: how many are, of how many, and its name.
  std::function<void(int done, int total, const std::string& kernel)> progress;
};

struct CompiledLibrary {
  std::string library_path, header_path;
  int64_t library_bytes = 0;
  int kernels_compiled = 0, kernels_cached = 0;
  int64_t weights_bytes = 0, inference_context_bytes = 0, training_context_bytes = 0, scratch_bytes_per_thread = 0;
};

// Both files are written atomically, or neither. The same arguments give the same bytes, whatever the cache holds.
// Errors name the kernel. The caller must be single-threaded (children are forked).
Result<CompiledLibrary> compile_library(const Plan& plan, const ModelDescription& model, const TargetSpec& target,
                                        const CodegenOptions& options);

// Writes the program that runs a library of this target from the command line (runtime/core/run).
Status emit_convoke_run(const TargetSpec& target, const std::string& path);

// A kernel as Halide's lowered statement, or as assembly of the target.
Result<std::string> lowered_statement(const PlanKernel& kernel, const TargetSpec& target);
Result<std::string> assembly(const PlanKernel& kernel, const TargetSpec& target);

// Where objects are kept, from the values of $XDG_CACHE_HOME and $HOME (null: unset); empty when both are.
std::string object_cache_directory(const char* xdg_cache_home, const char* home);

// The model's name as a C identifier: of its files' symbol and its header's constants.
std::string c_identifier(const std::string& model_name);

}  // namespace convoke
