// Kernels of cases, compiled and compared (check.h).
#include "tests/templates/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compiler/codegen/scratch.h"
#include "compiler/ops/interpreter.h"
#include "tests/lower/buffers.h"
#include "tests/templates/storage.h"

namespace convoke {
namespace {

constexpr std::string_view kReleaseFeatures = "-no_asserts-no_bounds_query";

int call(const Halide::Callable& callable, std::vector<Halide::Buffer<>>& buffers) {
  Halide::JITUserContext context, *context_pointer = &context;
  std::vector<const void*> arguments = {&context_pointer};
  for (Halide::Buffer<>& buffer : buffers) arguments.push_back(buffer.raw_buffer());
  return callable.call_argv_fast(arguments.size(), arguments.data());
}

Halide::Buffer<> storage_buffer(const Type& type, const Layout& layout, const Tensor& logical) {
  return to_buffer({.dtype = type.dtype, .dims = {}}, to_storage(type, layout, logical));
}

Halide::Buffer<> garbage(const Type& type, const Layout& layout, int64_t batch) {
  Halide::Buffer<> buffer = storage_buffer(type, layout, Tensor(concrete(type, batch)));
  memset(buffer.data(), 0x7b, buffer.size_in_bytes());
  return buffer;
}

// A compiled kernel, and how many times the error of the op's own sums it may have.
struct Compiled {
  Halide::Callable callable;
  double relative_error;
};

std::string compare(const Case& test_case, const Kernel& kernel, int output, const Tensor& expected,
                    const Halide::Buffer<>& found, double relative_error) {
  const Type& type = test_case.results[static_cast<size_t>(output)];
  const Layout& layout = kernel.output_layouts[static_cast<size_t>(output)];
  Tensor storage(to_storage(type, layout, expected).dims);
  storage.data = to_values(found);
  const FromStorage result = from_storage(type, layout, storage, test_case.batch);
  // Only a pack knows which images a batch lacks.
  if (!result.padding_is_zero && (layout.images == 0 || test_case.op == "pack")) return "padding is not zero";
  const double allowed = relative_error * tolerance(test_case, expected);
  const std::string difference = first_difference(expected, result.logical.data, allowed);
  if (difference.empty()) return "";
  double largest = 0;
  for (size_t i = 0; i < expected.data.size(); ++i) {
    largest = std::max(largest, std::fabs(result.logical.data[i] - expected.data[i]));
  }
  return fmt::format("{}; the largest error is {}", difference, largest);
}

enum class Memory { kApart, kInPlace };

// Runs the compiled kernel; with kInPlace each output replaces the first operand that may be replaced.
std::string run(const Compiled& compiled, const Case& test_case, const Kernel& kernel, Memory memory) {
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
  if (call(compiled.callable, buffers) != 0) return fmt::format("n={}: the call failed", test_case.batch);
  for (size_t o = 0; o < expected.size(); ++o) {
    const std::string difference = compare(test_case, kernel, static_cast<int>(o), expected[o],
                                           buffers[inputs.size() + o], compiled.relative_error);
    if (!difference.empty()) {
      return fmt::format("n={}{} result {}: {}", test_case.batch, memory == Memory::kInPlace ? " in place" : "", o,
                         difference);
    }
  }
  return "";
}

void wish(std::vector<Layout>& layouts, const std::vector<Layout>& wishes) {
  for (size_t i = 0; i < layouts.size(); ++i) layouts[i] = wishes[i].plain() ? layouts[i] : wishes[i];
}

// The case's kernels that the template takes, in the layouts that it wishes for: activations plain, in blocks of
// images, or (copies) in blocks on one side.
std::vector<Kernel> make_kernels(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  const Kernel plain = single_op_kernel(test_case.op, test_case.attrs, operand_types(test_case));
  const Kernel blocks = in_image_blocks(plain, target.vector_lanes);
  std::vector<Kernel> kernels;
  for (const Kernel* inputs : {&plain, &blocks}) {
    for (const Kernel* outputs : {&plain, &blocks}) {
      Kernel kernel = plain;
      kernel.input_layouts = inputs->input_layouts;
      kernel.output_layouts = outputs->output_layouts;
      const bool is_known = std::ranges::any_of(kernels, [&](const Kernel& known) {
        return known.input_layouts == kernel.input_layouts && known.output_layouts == kernel.output_layouts;
      });
      if (!is_known && takes(schedule, kernel, target)) kernels.push_back(std::move(kernel));
    }
  }
  for (Kernel& kernel : kernels) {
    const PreferredLayouts layouts =
        schedule.layouts(kernel, schedule.defaults(kernel, BatchClass::kMany, target), target);
    wish(kernel.input_layouts, layouts.inputs);
    wish(kernel.output_layouts, layouts.outputs);
  }
  return kernels;
}

std::string check_kernel(Case test_case, const Kernel& kernel, const ScheduleTemplate& schedule,
                         const TargetSpec& target, Flags flags) {
  const Knobs knobs = schedule.defaults(kernel, BatchClass::kMany, target);
  Result<BuiltKernel> built = schedule.build(kernel, knobs, target);
  if (!built.ok()) return built.status().message();
  std::string halide_target = target.halide_target;
  if (flags == Flags::kRelease) halide_target += kReleaseFeatures;
  const Compiled compiled = {
      .callable = built->pipeline.compile_to_callable(built->arguments, Halide::Target(halide_target)),
      .relative_error = schedule.relative_error == nullptr ? 1 : schedule.relative_error(kernel, knobs)};
  std::string difference = run(compiled, test_case, kernel, Memory::kApart);
  if (difference.empty()) difference = run(compiled, test_case, kernel, Memory::kInPlace);
  test_case.batch = test_case.batch == 1 ? 3 : 1;
  if (difference.empty()) difference = run(compiled, test_case, kernel, Memory::kApart);
  return difference;
}

// As the kernel sees an output: row_sums have one place for all pixels of a row.
Halide::Buffer<> seen(const Kernel& kernel, size_t output, Halide::Buffer<>& buffer) {
  if (kernel.row_sums == kNoRowSums || output == 0) return buffer;
  std::vector<halide_dimension_t> dims(buffer.raw_buffer()->dim, buffer.raw_buffer()->dim + buffer.dimensions());
  dims[1] = {0, static_cast<int32_t>(kernel.body.type(kernel.body.outputs[0]).dims[2]), 0};
  return Halide::Buffer<>(buffer.type(), buffer.data(), buffer.dimensions(), dims.data());
}

std::string run_graph(const Kernel& kernel, const Halide::Callable& callable, const Allowed& allowed) {
  constexpr int64_t kBatch = 3;
  Environment sources;
  std::vector<Halide::Buffer<>> buffers, found;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Value& input = kernel.body.values[static_cast<size_t>(kernel.inputs[i])];
    sources[input.name] = make_values(input.type, -1, 1, kBatch, static_cast<int>(i));
    buffers.push_back(to_buffer(input.type, sources[input.name]));
  }
  for (size_t o = 0; o < kernel.body.outputs.size(); ++o) {
    found.push_back(garbage(kernel.body.type(kernel.body.outputs[o]), {}, kBatch));
    buffers.push_back(seen(kernel, o, found.back()));
  }
  if (call(callable, buffers) != 0) return "the call failed";
  const Environment expected = interpret(kernel.body, sources);
  for (size_t o = 0; o < found.size(); ++o) {
    const Tensor& right = expected.at(kernel.body.values[static_cast<size_t>(kernel.body.outputs[o])].name);
    const std::string difference = first_difference(right, to_values(found[o]), allowed(o, right));
    if (!difference.empty()) return fmt::format("result {}: {}", o, difference);
  }
  return "";
}

// As in libraries; its scratch is constant.
Result<Halide::Module> lower_release(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                                     const TargetSpec& target) {
  ASSIGN_OR_RETURN(BuiltKernel built, schedule.build(kernel, knobs, target));
  const Halide::Target release(target.halide_target + "-no_runtime-user_context" + std::string(kReleaseFeatures));
  Halide::Module module = built.pipeline.compile_to_module(built.arguments, "kernel", release);
  ASSIGN_OR_RETURN([[maybe_unused]] const ScratchUse scratch, measure_scratch(module));
  return module;
}

}  // namespace

bool applies(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  return !make_kernels(test_case, schedule, target).empty();
}

std::string check_runs(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target, Flags flags) {
  for (Kernel& kernel : make_kernels(test_case, schedule, target)) {
    std::string difference = check_kernel(test_case, kernel, schedule, target, flags);
    if (!difference.empty()) return to_string(kernel.output_layouts[0]) + " outputs: " + difference;
    if (image_block(kernel) > 0 || std::ranges::all_of(kernel.output_layouts, &Layout::plain)) continue;
    kernel.output_layouts.assign(kernel.output_layouts.size(), Layout{});
    difference = check_kernel(test_case, kernel, schedule, target, flags);
    if (!difference.empty()) return "plain outputs: " + difference;
  }
  return "";
}

std::string check_graph(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                        const TargetSpec& target, const Allowed& allowed) {
  try {
    BuiltKernel built = schedule.build(kernel, knobs, target).value();
    return run_graph(kernel, built.pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target)),
                     allowed);
  } catch (const Halide::Error& error) {
    return error.what();
  }
}

double convolution_error(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs) {
  const std::vector<int64_t>& weight = kernel.body.type(kernel.inputs[1]).dims;
  const int64_t terms = weight[1] * weight[2] * weight[3];
  const double relative = schedule.relative_error == nullptr ? 1 : schedule.relative_error(kernel, knobs);
  return relative * 0x1p-24 * (16 + 2 * static_cast<double>(terms));
}

std::string check_compiles(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target) {
  for (const Kernel& kernel : make_kernels(test_case, schedule, target)) {
    const Result<Halide::Module> module =
        lower_release(kernel, schedule, schedule.defaults(kernel, BatchClass::kMany, target), target);
    if (!module.ok()) return module.status().message();
    module->compile({{Halide::OutputFileType::object, "/dev/null"}});
  }
  return "";
}

std::string check_scratch(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                          const TargetSpec& target) {
  const Result<Halide::Module> module = lower_release(kernel, schedule, knobs, target);
  return module.ok() ? "" : fmt::format("{} {}: {}", schedule.name, to_string(knobs), module.status().message());
}

std::string check_lookup(Kernel kernel, BatchClass batch, const TargetSpec& target, const LookupOptions& options) {
  const Instance instance = lookup(kernel, batch, target, options).value();
  kernel.input_layouts = instance.layouts.inputs;
  kernel.output_layouts = instance.layouts.outputs;
  return check_scratch(kernel, *find_template(instance.template_name), instance.knobs, target);
}

void warm_jit(const TargetSpec& target) {
  Halide::Func zero("zero");
  zero() = 0;
  zero.compile_to_callable({}, Halide::Target(target.halide_target));
}

}  // namespace convoke
