// A plan written by hand, so that the core can be tested without the compiler: one linear layer over a 4x4x3 image, its
// weight stored in blocks of four outputs. Kernels are C++ with the signature of Halide's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/core/plan.h"

namespace convoke::core {

constexpr int kInputs = 48, kClasses = 5, kCapacity = 8;

struct KernelCalls {
  int prepare = 0;
  int fail = 0;                 // the code that the next inference kernel returns
  int64_t scratch = 256;        // bytes that each task of inference allocates
  bool foreign_worker = false;  // two tasks at once had the same user context
};
extern KernelCalls kernel_calls;

extern const char* needed_cpu_features[2];  // of the library; none unless a test says so

inline const convoke_library& library() { return convoke_core_library; }

// Owns a weights object and a context on it.
struct Session {
  explicit Session(const convoke_context_options& options = {1, 1, CONVOKE_NHWC, nullptr, nullptr, nullptr});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();
  convoke_weights* weights = nullptr;
  convoke_context* context = nullptr;
  convoke_error error = {};
};

// Values in [-1, 1] from a formula.
std::vector<float> pattern(int64_t count, int seed);

// y = W x + b in double for each of n samples.
std::vector<double> reference_linear(const std::vector<float>& x, const std::vector<float>& w,
                                     const std::vector<float>& b);

}  // namespace convoke::core
