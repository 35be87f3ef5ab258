// Measures and checks libraries of single kernels (workbench.h). What runs a candidate runs in a child process with a
// time limit: a crash or a hang costs the candidate.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/base/status.h"
#include "schedules/tuner/session.h"

namespace convoke {

struct Comparison {
  double ns = 0, base_ns = 0;  // lower quartiles of a call
  double spread = 0;           // of ns: (median - lower quartile) / lower quartile
  double fma_gflops = 0;       // the best of the run
  double difference = 0;       // of the results (largest_difference)
};

// Calls both in turns between multiply-add loops; turns in which the core was not itself count only when there are no
// others. `seconds`: how long to go on; a candidate that is clearly slower is not waited for. Both on the same kernel.
Result<Comparison> compare(const Subject& base, const Subject& candidate, double seconds);

// A call's nanoseconds, the least of a few: for shares of time, not for a choice.
Result<double> time_of_call(const Subject& subject);

// One call's outputs, logical order, one after the other.
Result<std::vector<float>> outputs_of(const Subject& subject);
std::vector<float> reference_outputs(const Kernel& kernel, int64_t n);  // by the ops' references

// Relative to the largest element of `expected`; infinite for what is not a number.
double largest_difference(const std::vector<float>& expected, const std::vector<float>& found);

// In a child that is ended after `seconds` of computing, or ten times as long of waiting: an error as a crash is.
Result<Comparison> in_child(double seconds, const std::function<Result<Comparison>()>& work);
Result<double> in_child(double seconds, const std::function<Result<double>()>& work);
Result<std::vector<float>> in_child(double seconds, const std::function<Result<std::vector<float>>()>& work);

// In a child already: from now on such a limit.
void limit_seconds(double seconds);

}  // namespace convoke
