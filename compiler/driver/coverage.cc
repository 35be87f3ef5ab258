#include "compiler/driver/coverage.h"

#include <fmt/format.h>

namespace convoke {
namespace {

// On the machine of estimated_work.
double estimated_ns(const PlanKernel& kernel, int64_t n) {
  const Work work = estimated_work(kernel.kernel);
  return static_cast<double>(work.ns_per_sample * n + work.ns_per_call);
}

bool is_measured(const PlanKernel& kernel) {
  return kernel.instance.measured.n > 0 && estimated_ns(kernel, kernel.instance.measured.n) > 0;
}

double predicted_ns(const PlanKernel& kernel, int64_t n) {
  const MeasuredTime& measured = kernel.instance.measured;
  return measured.ns * estimated_ns(kernel, n) / estimated_ns(kernel, measured.n);
}

std::string milliseconds_text(double ns) {
  const double ms = ns / 1e6;
  return ms < 100 ? fmt::format("{:.3g} ms", ms) : fmt::format("{:.0f} ms", ms);
}

}  // namespace

Coverage coverage(const Plan& plan) {
  Coverage coverage;
  for (const PlanKernel& kernel : plan.kernels) {
    const Origin origin = kernel.instance.origin;
    ++(origin == Origin::kExact ? coverage.exact : origin == Origin::kNear ? coverage.near : coverage.defaults);
  }
  // Estimates are of some machine: they are scaled by what those of the measured rows were off.
  double measured = 0, estimated = 0;
  const auto each_row = [&](auto visit) {
    for (int r = 0; r < static_cast<int>(plan.rows.size()); ++r) {
      const PlanRow& row = plan.rows[r];
      if (row.program == CONVOKE_PREPARE) continue;
      visit(row, plan.kernels[row.kernel], samples_at_a_time(plan, r), static_cast<double>(turns(plan, r)));
    }
  };
  each_row([&](const PlanRow&, const PlanKernel& kernel, int64_t samples, double times) {
    if (!is_measured(kernel)) return;
    measured += times * predicted_ns(kernel, samples);
    estimated += times * estimated_ns(kernel, samples);
  });
  const double scale = estimated > 0 ? measured / estimated : 1;
  each_row([&](const PlanRow& row, const PlanKernel& kernel, int64_t samples, double times) {
    const double one = is_measured(kernel) ? predicted_ns(kernel, samples) : scale * estimated_ns(kernel, samples);
    (row.program == CONVOKE_INFER ? coverage.infer_ns : coverage.train_ns) += times * one;
  });
  coverage.measured_ns = measured;
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
