// How much of a plan the tuned database knows, and the time that follows.
#pragma once

#include "compiler/driver/output.h"
#include "compiler/kernels/plan.h"

namespace convoke {

struct Coverage {
  int exact = 0, near = 0, defaults = 0;  // kernels
  // Of a call with a full batch on one thread: the sum over the rows of measured times, of estimates where there are
  // none.
  double infer_ns = 0, train_ns = 0;  // train: forward, loss, backward, update
  double measured_ns = 0;             // the part of both sums that was measured
};
Coverage coverage(const Plan& plan);

Json coverage_json(const Coverage& coverage);
std::string schedules_text(const Coverage& coverage);  // "12 exact, 3 near, 14 default"
std::string predicted_text(const Coverage& coverage);  // "1.20 ms to infer, 4.10 ms to train; 81 % of it measured"

}  // namespace convoke
