// Lookup of a kernel's instance (lookup.h). Compiled into the templates' library, whose table it walks.
#include "schedules/database/lookup.h"

#include "schedules/templates/template.h"

namespace convoke {

// The defaults hold for every batch class; tuned entries are what differs between them.
Result<Instance> lookup(const Kernel& kernel, BatchClass, const TargetSpec& target, const std::string& only) {
  if (!only.empty() && find_template(only) == nullptr) return not_found("no schedule template \"" + only + "\"");
  for (const ScheduleTemplate* schedule : all_templates()) {
    if (!only.empty() && schedule->name != only) continue;
    if (!schedule->applies(kernel, target)) continue;
    Instance instance{.template_name = std::string(schedule->name), .knobs = schedule->defaults(kernel, target)};
    instance.layouts = schedule->layouts(kernel, instance.knobs, target);
    return instance;
  }
  return invalid_argument("no schedule template" + (only.empty() ? "" : " \"" + only + "\"") + " applies to " +
                          kernel_key(kernel));
}

}  // namespace convoke
