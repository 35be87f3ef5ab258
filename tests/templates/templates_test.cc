// Every template on every case of every op that it applies to: built in the layouts that it asks for, compiled with
// Halide's checks on, run at two batch sizes (and once more with operands replaced in place), against the reference.
// Each runs in a child process, so that an abort inside LLVM is one failure.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <functional>
#include <thread>

#include "schedules/templates/template.h"
#include "tests/lower/buffers.h"
#include "tests/templates/storage.h"

namespace convoke {
namespace {

constexpr int kMaxArguments = 12;

template <size_t... I>
int call(Halide::Callable& callable, std::vector<Halide::Buffer<>>& buffers, std::index_sequence<I...>) {
  return callable(buffers[I]...);
}

// Callable wants its arguments one by one.
template <size_t Count = 1>
int call(Halide::Callable& callable, std::vector<Halide::Buffer<>>& buffers) {
  if (buffers.size() == Count) return call(callable, buffers, std::make_index_sequence<Count>());
  if constexpr (Count < kMaxArguments) return call<Count + 1>(callable, buffers);
  return -1;
}

Halide::Buffer<> storage_buffer(const Type& type, const Layout& layout, const Tensor& logical) {
  return to_buffer({.dtype = type.dtype, .dims = {}}, to_storage(type, layout, logical));
}

Halide::Buffer<> garbage(const Type& type, const Layout& layout, int64_t batch) {
  Halide::Buffer<> buffer = storage_buffer(type, layout, Tensor(concrete(type, batch)));
  memset(buffer.data(), 0x7b, buffer.size_in_bytes());
  return buffer;
}

std::string compare(const Case& test_case, const Kernel& kernel, int output, const Tensor& expected,
                    const Halide::Buffer<>& found) {
  const Type& type = test_case.results[static_cast<size_t>(output)];
  const Layout& layout = kernel.output_layouts[static_cast<size_t>(output)];
  Tensor storage(to_storage(type, layout, expected).dims);
  storage.data = to_values(found);
  const FromStorage result = from_storage(type, layout, storage);
  if (!result.padding_is_zero) return "padding is not zero";
  return first_difference(expected, result.logical.data, tolerance(test_case, expected));
}

enum class Memory { kApart, kInPlace };

// Runs the compiled kernel; with kInPlace each output replaces the first operand that may be replaced.
std::string run(Halide::Callable& callable, const Case& test_case, const Kernel& kernel, Memory memory) {
  const std::vector<Tensor> inputs = make_inputs(test_case);
  const std::vector<Tensor> expected = run_reference(test_case, inputs);
  std::vector<Halide::Buffer<>> buffers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    buffers.push_back(storage_buffer(test_case.operands[i].type, kernel.input_layouts[i], inputs[i]));
  }
  std::vector<bool> taken(inputs.size());
  for (size_t o = 0; o < expected.size(); ++o) {
    buffers.push_back(garbage(test_case.results[o], kernel.output_layouts[o], test_case.batch));
    for (size_t i = 0; memory == Memory::kInPlace && i < inputs.size(); ++i) {
      if (taken[i] || !may_alias(kernel, static_cast<int>(i), static_cast<int>(o))) continue;
      taken[i] = true;
      buffers.back() = buffers[i];
      break;
    }
  }
  if (call(callable, buffers) != 0) return "the call failed";
  for (size_t o = 0; o < expected.size(); ++o) {
    const std::string difference =
        compare(test_case, kernel, static_cast<int>(o), expected[o], buffers[inputs.size() + o]);
    if (!difference.empty()) {
      return fmt::format("n={}{} result {}: {}", test_case.batch, memory == Memory::kInPlace ? " in place" : "", o,
                         difference);
    }
  }
  return "";
}

Kernel make_kernel(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  Kernel kernel = single_op_kernel(test_case.op, test_case.attrs, operand_types(test_case));
  if (!schedule.applies(kernel, target)) return kernel;
  const PreferredLayouts layouts = schedule.layouts(kernel, schedule.defaults(kernel, target), target);
  kernel.input_layouts = layouts.inputs;
  kernel.output_layouts = layouts.outputs;
  return kernel;
}

std::string check_kernel(Case test_case, const Kernel& kernel, const ScheduleTemplate& schedule,
                         const TargetSpec& target) {
  Result<BuiltKernel> built = schedule.build(kernel, schedule.defaults(kernel, target), target);
  if (!built.ok()) return built.status().message();
  Halide::Callable callable =
      built->pipeline.compile_to_callable(built->arguments, Halide::Target(target.halide_target));
  const int64_t batch = test_case.batch;
  std::string difference = run(callable, test_case, kernel, Memory::kApart);
  if (difference.empty()) difference = run(callable, test_case, kernel, Memory::kInPlace);
  test_case.batch = batch == 1 ? 3 : 1;
  if (difference.empty()) difference = run(callable, test_case, kernel, Memory::kApart);
  return difference;
}

// In the layouts that the template wishes for; where those of the outputs are not plain, in plain ones too.
std::string check_case(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  Kernel kernel = make_kernel(test_case, schedule, target);
  std::string difference = check_kernel(test_case, kernel, schedule, target);
  if (!difference.empty() || std::ranges::all_of(kernel.output_layouts, &Layout::plain)) return difference;
  kernel.output_layouts.assign(kernel.output_layouts.size(), Layout{});
  difference = check_kernel(test_case, kernel, schedule, target);
  return difference.empty() ? "" : "plain outputs: " + difference;
}

// An object for a target that may not run here.
std::string check_compiles(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  const Kernel kernel = make_kernel(test_case, schedule, target);
  Result<BuiltKernel> built = schedule.build(kernel, schedule.defaults(kernel, target), target);
  if (!built.ok()) return built.status().message();
  built->pipeline.compile_to_object("/dev/null", built->arguments, "kernel",
                                    Halide::Target(target.halide_target + "-no_runtime-no_asserts-no_bounds_query"));
  return "";
}

struct Job {
  std::string name;
  std::function<std::string()> check;  // empty when all is well
};

struct Child {
  std::string name;
  pid_t pid = 0;
  int messages = -1;
};

Child start(const Job& job) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t pid = fork();
  if (pid != 0) {
    close(ends[1]);
    return {job.name, pid, ends[0]};
  }
  signal(SIGABRT, SIG_DFL);  // doctest's handlers would report it as their own
  signal(SIGSEGV, SIG_DFL);
  std::string message;
  try {
    message = job.check();
  } catch (const Halide::Error& error) {
    message = error.what();
  }
  _exit(write(ends[1], message.data(), message.size()) == static_cast<ssize_t>(message.size()) ? 0 : 1);
}

void finish(const Child& child) {
  std::string message;
  char block[4096];
  for (ssize_t got; (got = read(child.messages, block, sizeof block)) > 0;)
    message.append(block, static_cast<size_t>(got));
  close(child.messages);
  int status = 0;
  waitpid(child.pid, &status, 0);
  if (status != 0) message += fmt::format("(the child ended with status {:#x})", status);
  INFO(child.name);
  CHECK(message == "");
}

void run_all(const std::vector<Job>& jobs) {
  const size_t at_once = std::max(1u, std::thread::hardware_concurrency());
  std::deque<Child> running;
  for (const Job& job : jobs) {
    if (running.size() == at_once) {
      finish(running.front());
      running.pop_front();
    }
    running.push_back(start(job));
  }
  for (const Child& child : running) finish(child);
}

bool applies(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  return schedule.applies(single_op_kernel(test_case.op, test_case.attrs, operand_types(test_case)), target);
}

void check_template(const ScheduleTemplate& schedule) {
  const TargetSpec host = find_target("host").value();
  std::vector<Job> jobs;
  for (const OpDef* op : all_ops()) {
    for (const Case& test_case : load_valid_cases(op->name)) {
      if (!applies(test_case, schedule, host)) continue;
      jobs.push_back({to_string(test_case), [=, &schedule] { return check_case(test_case, schedule, host); }});
    }
  }
  run_all(jobs);
}

#define TEMPLATE(name) \
  TEST_CASE("template " #name) { check_template(templates::name); }
#include "schedules/templates/templates.inc"
#undef TEMPLATE

TEST_CASE("the first case of each op compiles for every target by every template") {
  std::vector<Job> jobs;
  for (const std::string& name : target_names()) {
    const TargetSpec target = find_target(name).value();
    for (const OpDef* op : all_ops()) {
      const Case test_case = load_valid_cases(op->name).at(0);
      for (const ScheduleTemplate* schedule : all_templates()) {
        if (!applies(test_case, *schedule, target)) continue;
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
