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

// Schedules depend on the class of batches, forward ones on training too: those of VGG's second layer, whose training
// has blocks that both axes cut off, of ResNet's 3x3 layers, of AlexNet's 5x5 layer, whose map no block divides, and of
// a 1x1 layer whose tasks have some of its blocks of channels, the last of which is cut off.
TEST_CASE("what lookup chooses in each class of batches is lowered with constant scratch") {
  struct Layer {
    int64_t size, in, out, kernel;
  };
  std::vector<Job> jobs;
  const auto add = [&](const Kernel& kernel, const LookupOptions& options = {}) {
    for (const std::string& name : target_names()) {
      const TargetSpec target = find_target(name).value();
      for (const BatchClass batch : {BatchClass::kOne, BatchClass::kTwo, BatchClass::kFew, BatchClass::kMany}) {
        jobs.push_back({fmt::format("{} for {}, class {}{}", kernel_key(kernel), name, static_cast<int>(batch),
                                    options.training ? ", training" : ""),
                        [=] { return check_lookup(kernel, batch, target, options); }});
      }
    }
  };
  for (const auto [size, in, out, kernel] :
       {Layer{224, 64, 64, 3}, Layer{56, 64, 64, 3}, Layer{28, 128, 128, 3}, Layer{14, 256, 256, 3},
        Layer{7, 512, 512, 3}, Layer{27, 64, 192, 5}, Layer{7, 512, 2048, 1}}) {
    const Type image = f32({kBatch, size, size, in}), gradient = f32({kBatch, size, size, out}),
               weight = f32({out, in, kernel, kernel});
    const int64_t padding = kernel / 2;
    const Attrs attrs = {{"stride", std::vector<int64_t>{1, 1}},
                         {"padding", std::vector<int64_t>(4, padding)},
                         {"dilation", std::vector<int64_t>{1, 1}},
                         {"groups", int64_t{1}}};
    Attrs data = attrs, weights = attrs;
    data["input_size"] = std::vector{size, size};
    weights["kernel_size"] = std::vector{kernel, kernel};
    const Kernel forward = single_op_kernel("conv2d", attrs, {image, weight});
    add(forward);
    add(forward, {.training = true});
    add(single_op_kernel("conv2d_backward_data", data, {gradient, weight}));
    add(single_op_kernel("conv2d_backward_weights", weights, {gradient, image}));
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
