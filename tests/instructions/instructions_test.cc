// The regression gate: how many instructions kernels take, counted by Valgrind, against committed figures. They depend
// on templates and on Halide alone, not on the machine: kernels are compiled for AVX2 (Valgrind knows no AVX-512) by
// the templates' defaults, and run alone on one thread.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "compiler/codegen/child.h"
#include "compiler/codegen/kernel_object.h"
#include "runtime/base/file.h"
#include "runtime/io/tensor_file.h"
#include "schedules/database/lookup.h"
#include "schedules/tuner/workbench.h"
#include "tests/ops/cases.h"

namespace convoke {
namespace {

constexpr double kAllowed = 0.02;
const std::string kFigures = "tests/instructions/figures.txt";

// A line: "template instructions op case".
struct Figure {
  std::string template_name;
  int64_t instructions;
  std::string op, case_text;
};

std::string to_string(const Figure& figure) {
  return fmt::format("{} {} {} {}", figure.template_name, figure.instructions, figure.op, figure.case_text);
}

Figure parse_figure(const std::string& line) {
  std::istringstream words(line);
  Figure figure;
  words >> figure.template_name >> figure.instructions >> figure.op >> std::ws;
  std::getline(words, figure.case_text);
  REQUIRE_MESSAGE(!words.fail(), line);
  return figure;
}

template <typename T>
T value_of(Result<T> result) {
  REQUIRE_MESSAGE(result.ok(), result.status().message());
  return std::move(*result);
}

// Stdout and stderr of a command that succeeds.
void run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  char buffer[512];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, got);
  const int state = pclose(pipe);
  const std::string what = command + "\n" + text;
  REQUIRE_MESSAGE((WIFEXITED(state) && WEXITSTATUS(state) == 0), what);
}

std::string input_file(const Workbench& bench, const Kernel& kernel, int64_t n) {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    if (!type.has_batch()) continue;  // weights: zeros do
    std::vector<int64_t> dims = concrete(type, n);
    tensors.push_back(
        f32_tensor(bench.description.inputs[tensors.size()].name, dims, input_values(kernel, static_cast<int>(i), n)));
  }
  return serialize_tensors(tensors);
}

// The kernel's entry in its library.
std::string symbol_of(const PlanKernel& kernel, const TargetSpec& target, const CodegenOptions& options) {
  return value_of(run_in_child([&]() -> Result<std::string> {
    ASSIGN_OR_RETURN(const KernelObject object, make_kernel_object(kernel, target, options.cache_directory,
                                                                   options.output_directory + "/kernel.o"));
    return object.symbol;
  }));
}

int64_t count(const Figure& figure, const TargetSpec& target) {
  const Case one = value_of(parse_cases(figure.op, figure.case_text)).at(0);
  const Kernel plain = single_op_kernel(one.op, one.attrs, operand_types(one));
  const Instance instance = value_of(lookup(plain, batch_class(one.batch), target, {.only = figure.template_name}));
  const WeightStorage storage{plain.input_layouts};
  const PlanKernel kernel{lay_out(plain, storage, instance), instance};
  const Workbench bench = value_of(make_workbench(kernel, storage, one.batch, target));
  REQUIRE(bench.copies == 1);

  const std::string folder = std::string(CONVOKE_BINARY_DIR) + "/instructions";
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const CodegenOptions options{.output_directory = folder, .cache_directory = object_cache_directory(cache, nullptr)};
  const CompiledLibrary library = value_of(compile_library(bench.plan, bench.description, target, options));
  const std::string program = folder + "/convoke-run", input = folder + "/input", counts = folder + "/callgrind.out";
  REQUIRE(emit_convoke_run(target, program).ok());
  REQUIRE(write_file_atomic(input, input_file(bench, kernel.kernel, one.batch)).ok());
  run(fmt::format(
      "valgrind --tool=callgrind --callgrind-out-file={} --collect-atstart=no --toggle-collect={} {} {} infer "
      "{} /dev/null --seed 1",
      counts, symbol_of(kernel, target, options), program, library.library_path, input));
  const std::string text = value_of(read_file(counts));
  const size_t at = text.find("\nsummary: ");
  REQUIRE(at != std::string::npos);
  return std::atoll(text.c_str() + at + 10);
}

TEST_CASE("kernels take the instructions that are committed") {
  const TargetSpec target = value_of(find_target("x86-64-avx2"));
  const bool update = std::getenv("CONVOKE_UPDATE") != nullptr;
  std::istringstream lines(value_of(read_file(kFigures)));
  std::string updated;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) {
      updated += line + "\n";
      continue;
    }
    Figure figure = parse_figure(line);
    const int64_t found = count(figure, target);
    const double change = static_cast<double>(found) / static_cast<double>(figure.instructions) - 1;
    const std::string what = fmt::format(
        "{} {} {}: {} instructions committed, {} now, {:+.1f} %\nIf the change is meant: CONVOKE_UPDATE=1 "
        "build/release/tests/instructions/test_instructions, and review git diff",
        figure.template_name, figure.op, figure.case_text.substr(0, figure.case_text.find(':')), figure.instructions,
        found, 100 * change);
    CHECK_MESSAGE((update || std::fabs(change) <= kAllowed), what);
    figure.instructions = found;
    updated += to_string(figure) + "\n";
  }
  if (update) REQUIRE(write_file_atomic(kFigures, updated).ok());
}

}  // namespace
}  // namespace convoke
