// Lookup: which template runs a kernel (instance.h). Compiled into the templates' library, whose table it walks.
#include "schedules/database/instance.h"

#include "schedules/templates/template.h"

namespace convoke {

std::string to_string(const Knobs& knobs) {
  std::string text;
  for (const auto& [name, value] : knobs) text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  return text;
}

BatchClass batch_class(int64_t capacity) {
  if (capacity <= 1) return BatchClass::kOne;
  return capacity < 8 ? BatchClass::kFew : BatchClass::kMany;
}

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
