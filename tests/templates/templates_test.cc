// Every template on every case of every op that it applies to, compiled as in libraries and with Halide's checks; each
// in a child process, so that an abort inside LLVM is one failure.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "compiler/codegen/child.h"
#include "tests/templates/check.h"

namespace convoke {
namespace {

struct Job {
  std::string name;
  std::function<std::string()> check;  // empty when all is well
};

std::string without_exceptions(const std::function<std::string()>& check) {
  try {
    return check();
  } catch (const Halide::Error& error) {
    return error.what();
  }
}

void run_all(const std::vector<Job>& jobs) {
  const auto run = [&](int job) -> Result<std::string> { return without_exceptions(jobs[job].check); };
  run_in_children(static_cast<int>(jobs.size()), 0, run, [&](int job, const Result<std::string>& found) {
    const std::string wrong = found.ok() ? found.value() : found.status().message();
    INFO(jobs[job].name);
    CHECK(wrong == "");
  });
}

// For every target that this CPU runs; with asserts for the best one.
void check_template(const ScheduleTemplate& schedule) {
  const TargetSpec host = find_target("host").value();
  warm_jit(host);
  std::vector<Job> jobs;
  const auto add = [&](const Case& test_case, const TargetSpec& target, Flags flags) {
    if (!applies(test_case, schedule, target)) return;
    jobs.push_back(
        {fmt::format("{} for {}{}", to_string(test_case), target.name, flags == Flags::kAsserts ? " with asserts" : ""),
         [=, &schedule] { return check_runs(test_case, schedule, target, flags); }});
  };
  for (const OpDef* op : all_ops()) {
    for (const Case& test_case : load_valid_cases(op->name)) {
      for (const std::string& name : target_names()) {
        const TargetSpec target = find_target(name).value();
        if (runs_here(target)) add(test_case, target, Flags::kRelease);
      }
      add(test_case, host, Flags::kAsserts);
    }
  }
  REQUIRE(!jobs.empty());
  run_all(jobs);
}

#define TEMPLATE(name) \
  TEST_CASE("template " #name) { check_template(templates::name); }
#include "schedules/templates/templates.inc"
#undef TEMPLATE

TEST_CASE("the first case of each op that a template applies to compiles for every target") {
  std::vector<Job> jobs;
  for (const std::string& name : target_names()) {
    const TargetSpec target = find_target(name).value();
    for (const OpDef* op : all_ops()) {
      const std::vector<Case> cases = load_valid_cases(op->name);
      for (const ScheduleTemplate* schedule : all_templates()) {
        const auto found = std::ranges::find_if(cases, [&](const Case& c) { return applies(c, *schedule, target); });
        if (found == cases.end()) continue;
        const Case test_case = *found;
        jobs.push_back({fmt::format("{} for {} on {}", schedule->name, name, to_string(test_case)),
                        [=] { return check_compiles(test_case, *schedule, target); }});
      }
    }
  }
  run_all(jobs);
}

TEST_CASE("keys are parsed back") {
  for (const OpDef* op : all_ops()) {
    for (const Case& test_case : load_valid_cases(op->name)) {
      const std::string key = kernel_key(single_op_kernel(test_case.op, test_case.attrs, operand_types(test_case)));
      INFO(key);
      const Result<Kernel> parsed = parse_kernel(key);
      REQUIRE_MESSAGE(parsed.ok(), parsed.status().message());
      CHECK(kernel_key(*parsed) == key);
    }
  }
}

}  // namespace
}  // namespace convoke
