// From graphs to a loaded library, for tests: plan, compile, dlopen; and calls by name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/autodiff/differentiate.h"
#include "compiler/autodiff/update.h"
#include "compiler/driver/compile_model.h"
#include "compiler/ops/interpreter.h"
#include "runtime/core/convoke.h"
#include "tests/e2e/reference.h"

namespace convoke {

struct CompileRequest {
  const Graph* inference;
  const Graph* training = nullptr;
  OptimizerOptions optimizer;
  int64_t capacity = 4;
  int64_t cache_bytes = 0;  // PlanRequest's
};

// Compiles for the host into a folder of its own under the build directory and opens the library. Ends the test on an
// error.
const convoke_library* compile_and_open(const std::string& name, const CompileRequest& request);

// The same from what the driver planned; into `folder` of the build directory, with its cache of kernels.
const convoke_library* compile_and_open(const PlannedModel& planned, const std::string& folder);

// Opened until the process ends.
const convoke_library* open_library(const std::string& path, const std::string& model);

// A context of a library with weights from `sources`, by the tensors' names.
class Session {
 public:
  Session(const convoke_library* library, const Environment& sources, int training, int threads);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  std::vector<std::vector<float>> infer(const Inputs& inputs);
  convoke_metrics forward_backward(const Inputs& inputs, const Tensor& labels, const convoke_step* step = nullptr);
  std::vector<std::vector<float>> forward(const Inputs& inputs);           // in training mode
  void backward(const std::vector<std::vector<float>>& output_gradients);  // behind forward()
  void update(float learning_rate, int64_t step);
  void capture(convoke_program program, const char* name, std::vector<float>& to);  // `to` outlives the session
  std::vector<float> weight(int index) const;                                       // or, behind the parameters, state
  std::vector<float> gradient(int index) const;

 private:
  template <typename Call>
  std::vector<std::vector<float>> outputs_of(Call call, const Inputs& inputs);

  const convoke_library* library_;
  convoke_weights* weights_ = nullptr;
  convoke_context* context_ = nullptr;
};

}  // namespace convoke
