#include "compiler/driver/coverage.h"

#include <fmt/format.h>

namespace convoke {
namespace {

// On the machine of estimated_work.
double estimated_ns(const PlanKernel& kernel, int64_t n) {
  const Work work = estimated_work(kernel.kernel);
  return static_cast<double>(work.ns_per_sample * n + work.ns_per_call);
}

std::string milliseconds_text(double ns) {
  const double ms = ns / 1e6;
  return ms < 100 ? fmt::format("{:.3g} ms", ms) : fmt::format("{:.0f} ms", ms);
}

}  // namespace

double predicted_ns(const PlanKernel& kernel, int64_t n) {
  const MeasuredTime& measured = kernel.instance.measured;
  const double estimate = estimated_ns(kernel, n);
  if (measured.n == 0 || estimate == 0) return estimate;
  return measured.ns * estimate / estimated_ns(kernel, measured.n);
}

Coverage coverage(const Plan& plan) {
  Coverage coverage;
  for (const PlanKernel& kernel : plan.kernels) {
    const Origin origin = kernel.instance.origin;
    ++(origin == Origin::kExact ? coverage.exact : origin == Origin::kNear ? coverage.near : coverage.defaults);
  }
  for (int r = 0; r < static_cast<int>(plan.rows.size()); ++r) {
    const PlanRow& row = plan.rows[r];
    if (row.program == CONVOKE_PREPARE) continue;
    const PlanKernel& kernel = plan.kernels[row.kernel];
    const double ns = static_cast<double>(turns(plan, r)) * predicted_ns(kernel, samples_at_a_time(plan, r));
    (row.program == CONVOKE_INFER ? coverage.infer_ns : coverage.train_ns) += ns;
    if (kernel.instance.measured.n > 0) coverage.measured_ns += ns;
  }
  return coverage;
}

Json coverage_json(const Coverage& coverage) {
  return {{"exact", coverage.exact},
          {"near", coverage.near},
          {"default", coverage.defaults},
          {"predicted_infer_ms", coverage.infer_ns / 1e6},
          {"predicted_train_ms", coverage.train_ns / 1e6}};
}

std::string schedules_text(const Coverage& coverage) {
  return fmt::format("{} exact, {} near, {} default", coverage.exact, coverage.near, coverage.defaults);
}

std::string predicted_text(const Coverage& coverage) {
  std::string text = milliseconds_text(coverage.infer_ns) + " to infer";
  if (coverage.train_ns > 0) text += ", " + milliseconds_text(coverage.train_ns) + " to train";
  const double share = coverage.measured_ns / (coverage.infer_ns + coverage.train_ns);
  return text + fmt::format("; {:.0f} % of it measured", 100 * share);
}

}  // namespace convoke
