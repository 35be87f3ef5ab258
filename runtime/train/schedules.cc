#include "runtime/train/schedules.h"

#include <cmath>
#include <numbers>

namespace convoke {

double learning_rate(const ScheduleRecipe& schedule, int64_t step, int64_t steps_per_epoch, int64_t epochs) {
  const double rate = schedule.learning_rate;
  const double warmup = std::round(schedule.warmup_epochs * static_cast<double>(steps_per_epoch));
  const double at = static_cast<double>(step);
  if (at < warmup) return rate * (at + 1) / warmup;
  switch (schedule.kind) {
    case ScheduleKind::kConstant:
      return rate;
    case ScheduleKind::kStep: {
      double factor = 1;
      for (double epoch : schedule.step_epochs) {
        if (at >= epoch * static_cast<double>(steps_per_epoch)) factor *= schedule.step_factor;
      }
      return rate * factor;
    }
    case ScheduleKind::kCosine: {
      const double total = static_cast<double>(epochs * steps_per_epoch);
      const double t = (at - warmup) / (total - warmup);  // at < total, so the divisor is positive
      const double last = schedule.final_learning_rate;
      return last + (rate - last) * (1 + std::cos(std::numbers::pi * t)) / 2;
    }
  }
  return rate;
}

}  // namespace convoke
