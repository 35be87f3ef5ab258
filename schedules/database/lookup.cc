// Lookup of a kernel's instance (lookup.h). Compiled into the templates' library, whose table it walks.
#include "schedules/database/lookup.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "schedules/templates/template.h"

namespace convoke {
namespace {

// A size with so many times the work, or so much less, is not near: at 1x1 pixels the best tiles of 7x7 took 1.5 times
// as long as the defaults do.
constexpr double kFarthest = 2;

struct Match {
  const TunedSchedule* schedule;
  bool same_cpu;
  double distance;  // |log| of the kernels' ratio of work

  auto rank() const { return std::tuple(!same_cpu, distance, !schedule->inference_only); }
};

double distance(const Kernel& kernel, const std::string& key) {
  const Work here = estimated_work(kernel), there = estimated_work(parse_kernel(key).value());
  return std::fabs(std::log(static_cast<double>(here.ns_per_sample + here.ns_per_call + 1) /
                            static_cast<double>(there.ns_per_sample + there.ns_per_call + 1)));
}

bool is_allowed(const ScheduleTemplate& schedule, const Kernel& kernel, const LookupOptions& options) {
  if (options.strict && schedule.relative_error != nullptr) return false;
  return !options.training || schedule.trains == nullptr || schedule.trains(kernel);
}

// Of this origin, best first, valid or not.
std::vector<Match> matches(const Kernel& kernel, BatchClass batch, Origin origin, const LookupOptions& options) {
  const std::string key = tuning_key(kernel), family = kernel_family(key);
  std::vector<Match> found;
  for (const TunedSchedule& schedule : options.tuned->schedules) {
    if (schedule.batch != batch || (schedule.kernel == key) != (origin == Origin::kExact)) continue;
    Match match{&schedule, schedule.cpu == options.cpu, 0};
    if (origin == Origin::kNear) {
      if (kernel_family(schedule.kernel) != family) continue;
      match.distance = distance(kernel, schedule.kernel);
      if (match.distance > std::log(kFarthest)) continue;
    }
    found.push_back(match);
  }
  std::ranges::stable_sort(found, {}, &Match::rank);
  return found;
}

std::optional<Instance> find_tuned(const Kernel& kernel, BatchClass batch, const TargetSpec& target,
                                   const LookupOptions& options) {
  for (const Origin origin : {Origin::kExact, Origin::kNear}) {
    for (const Match& match : matches(kernel, batch, origin, options)) {
      const TunedSchedule& tuned = *match.schedule;
      if (!is_valid(kernel, batch, target, tuned.template_name, tuned.knobs)) continue;
      if (!is_allowed(*find_template(tuned.template_name), kernel, options)) continue;
      Instance instance = make_instance(kernel, target, tuned.template_name, tuned.knobs);
      instance.origin = origin;
      if (origin == Origin::kExact) instance.measured = {static_cast<double>(tuned.ns), tuned.n};
      return instance;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Instance> lookup(const Kernel& kernel, BatchClass batch, const TargetSpec& target,
                        const LookupOptions& options) {
  const std::string& only = options.only;
  if (!only.empty() && find_template(only) == nullptr) return not_found("no schedule template \"" + only + "\"");
  if (options.tuned != nullptr && only.empty() && kernel_key(kernel) == tuning_key(kernel)) {
    if (std::optional<Instance> tuned = find_tuned(kernel, batch, target, options)) return *std::move(tuned);
  }
  for (const ScheduleTemplate* schedule : all_templates()) {
    if (!only.empty() && schedule->name != only) continue;
    if (!takes(*schedule, kernel, target) || !is_allowed(*schedule, kernel, options)) continue;
    if (only.empty() && schedule->pays != nullptr && !schedule->pays(kernel, batch, target)) continue;
    return make_instance(kernel, target, std::string(schedule->name), schedule->defaults(kernel, batch, target));
  }
  return invalid_argument("no schedule template" + (only.empty() ? "" : " \"" + only + "\"") + " applies to " +
                          kernel_key(kernel));
}

bool may_train(const Kernel& kernel, const std::string& template_name) {
  return is_allowed(*find_template(template_name), kernel, {.training = true});
}

// Four threads find work. What is measured on one thread would have it all in one task.
constexpr int kFewestTasks = 4;

std::vector<TemplateChoice> template_choices(const Kernel& kernel, BatchClass batch, const TargetSpec& target,
                                             bool training) {
  std::vector<TemplateChoice> choices;
  for (const ScheduleTemplate* schedule : all_templates()) {
    if (!takes(*schedule, kernel, target) || !is_allowed(*schedule, kernel, {.training = training})) continue;
    const auto tasks = [=](const Knobs& knobs) {
      return schedule->tasks == nullptr ? kFewestTasks : schedule->tasks(kernel, knobs, target, typical_samples(batch));
    };
    const Knobs defaults = schedule->defaults(kernel, batch, target);
    const auto fits = [=, fewest = std::min(kFewestTasks, tasks(defaults))](const Knobs& knobs) {
      if (schedule->registers != nullptr && schedule->registers(knobs) > target.vector_registers) return false;
      return tasks(knobs) >= fewest;
    };
    choices.push_back({.name = std::string(schedule->name),
                       .ranges = schedule->knobs(kernel, target),
                       .defaults = defaults,
                       .fits = fits});
    if (schedule->starts != nullptr) choices.back().starts = schedule->starts(kernel, batch, target);
  }
  return choices;
}

bool is_valid(const Kernel& kernel, BatchClass batch, const TargetSpec& target, const std::string& template_name,
              const Knobs& knobs) {
  const ScheduleTemplate* schedule = find_template(template_name);
  if (schedule == nullptr || !takes(*schedule, kernel, target)) return false;
  const Knobs defaults = schedule->defaults(kernel, batch, target);
  const KnobRanges ranges = schedule->knobs(kernel, target);
  if (knobs.size() != defaults.size()) return false;
  return std::ranges::all_of(defaults, [&](const auto& knob) {
    const auto& [name, value] = knob;
    const auto given = knobs.find(name);
    if (given == knobs.end()) return false;
    const auto range = ranges.find(name);
    const bool in_range =
        range != ranges.end() && std::ranges::find(range->second, given->second) != range->second.end();
    return in_range || given->second == value;
  });
}

Instance make_instance(const Kernel& kernel, const TargetSpec& target, const std::string& template_name,
                       const Knobs& knobs) {
  const ScheduleTemplate* schedule = find_template(template_name);
  ENSURE(schedule != nullptr) << "no schedule template " << template_name;
  Instance instance{.template_name = template_name, .knobs = knobs};
  instance.layouts = schedule->layouts(kernel, knobs, target);
  return instance;
}

}  // namespace convoke
