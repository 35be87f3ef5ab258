// Calls of a library to be timed: inference, or a whole training step, on numbers made here.
#pragma once

#include <vector>

#include "runtime/train/library.h"

namespace convoke {

struct WorkloadOptions {
  int32_t n = 1;  // samples a call
  int32_t threads = 1;
  bool train = false;
};

class Workload {
 public:
  static Result<Workload> make(const Library& library, const WorkloadOptions& options);

  Status step();  // training: forward, loss, backward, update
  convoke_context* context() { return context_.get(); }
  const WorkloadOptions& options() const { return options_; }

 private:
  Workload(const Library& library, Weights weights, Context context, const WorkloadOptions& options);

  Library library_;
  Weights weights_;
  Context context_;
  WorkloadOptions options_;
  std::vector<std::vector<float>> inputs_;
  std::vector<const void*> input_pointers_;
  std::vector<int32_t> labels_;
  int64_t steps_ = 0;
};

}  // namespace convoke
