// The table of templates, expanded from templates.inc.
#include "schedules/templates/template.h"

namespace convoke {

std::span<const ScheduleTemplate* const> all_templates() {
  static constexpr const ScheduleTemplate* kTemplates[] = {
#define TEMPLATE(name) &templates::name,
#include "schedules/templates/templates.inc"
#undef TEMPLATE
  };
  return kTemplates;
}

const ScheduleTemplate* find_template(std::string_view name) {
  for (const ScheduleTemplate* schedule : all_templates()) {
    if (schedule->name == name) return schedule;
  }
  return nullptr;
}

bool takes(const ScheduleTemplate& schedule, const Kernel& kernel, const TargetSpec& target) {
  return (schedule.takes_images || image_block(kernel) == 0) &&
         (schedule.takes_pooling || kernel.pooling == kNoPooling) &&
         (schedule.takes_row_sums || kernel.row_sums == kNoRowSums) && schedule.applies(kernel, target);
}

}  // namespace convoke
