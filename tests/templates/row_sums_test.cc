// Convolutions with row_sums behind them, as training has them in front of a batch normalisation: rows in one block of
// tiles and in several, tiles that a row cuts off, blocks of several images, biases, groups, strides.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/ops/interpreter.h"
#include "schedules/templates/template.h"
#include "tests/lower/buffers.h"

namespace convoke {
namespace {

constexpr int64_t kBatchOfCall = 3;

struct Problem {
  const char* input;
  const char* weight;
  int padding, stride, groups;
  bool has_bias;
  int h, w, c;  // of the result
};

constexpr Problem kProblems[] = {
    {"12,24,24", "32,24,3,3", 1, 1, 1, false, 12, 24, 32}, {"9,30,16", "64,16,3,3", 1, 1, 1, true, 9, 30, 64},
    {"7,7,32", "32,32,3,3", 1, 1, 1, false, 7, 7, 32},     {"23,23,3", "16,3,7,7", 3, 2, 1, true, 12, 12, 16},
    {"14,14,16", "64,16,1,1", 0, 2, 1, false, 7, 7, 64},   {"8,10,16", "20,16,1,1", 0, 1, 1, true, 8, 10, 20},
    {"8,10,32", "32,8,3,3", 1, 1, 4, false, 8, 10, 32}};

std::string key_of(const Problem& p) {
  const std::string made = fmt::format("f32[n,{},{},{}]", p.h, p.w, p.c),
                    sums = fmt::format("f32[n,{},1,{}]", p.h, p.c);
  return fmt::format(
      "graph kernel\n%a0 = input() : f32[n,{0}]\n%a1 = input() : f32[{1}]\n{2}"
      "%v0 = conv2d(%a0, %a1{3}) {{dilation=[1,1], groups={4}, padding=[{5},{5},{5},{5}], stride=[{6},{6}]}} : {7}\n"
      "%v1, %v1.1, %v1.2 = row_sums(%v0) : {8}, {8}, {8}\noutput %v0\noutput %v1\noutput %v1.1\noutput %v1.2\n",
      p.input, p.weight, p.has_bias ? fmt::format("%a2 = input() : f32[{}]\n", p.c) : "", p.has_bias ? ", %a2" : "",
      p.groups, p.padding, p.stride, made, sums);
}

// As the kernel sees a result of row_sums: the same place for all pixels of a row of `w`.
Halide::Buffer<float> for_rows_of(int64_t w, Halide::Buffer<float>& sums) {
  halide_dimension_t dims[4];
  for (int d = 0; d < 4; ++d) dims[d] = sums.raw_buffer()->dim[d];
  dims[1] = {0, static_cast<int32_t>(w), 0};
  return Halide::Buffer<float>(sums.data(), 4, dims);
}

// The first difference from the graph's own results; empty when there is none.
std::string first_error(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                        const TargetSpec& target, const Problem& problem) {
  BuiltKernel built = schedule.build(kernel, knobs, target).value();
  Halide::Callable callable = built.pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target));
  Environment sources;
  std::vector<Halide::Buffer<>> buffers;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Value& input = kernel.body.values[static_cast<size_t>(kernel.inputs[i])];
    sources[input.name] = make_values(input.type, -1, 1, kBatchOfCall, static_cast<int>(i));
    buffers.push_back(to_buffer(input.type, sources[input.name]));
  }
  std::vector<Halide::Buffer<float>> found, seen;
  for (ValueId output : kernel.body.outputs) {
    found.push_back(make_buffer(kernel.body.type(output), kBatchOfCall).as<float>());
    found.back().fill(NAN);
    seen.push_back(seen.empty() ? found.back() : for_rows_of(problem.w, found.back()));
  }
  std::vector<Halide::Buffer<>> all = buffers;
  all.insert(all.end(), seen.begin(), seen.end());
  Halide::JITUserContext context, *context_pointer = &context;
  std::vector<const void*> arguments = {&context_pointer};
  for (Halide::Buffer<>& buffer : all) arguments.push_back(buffer.raw_buffer());
  if (callable.call_argv_fast(arguments.size(), arguments.data()) != 0) return "the call failed";
  const Environment expected = interpret(kernel.body, sources);
  const std::vector<int64_t>& weight = kernel.body.type(kernel.inputs[1]).dims;
  const auto terms = static_cast<double>(weight[1] * weight[2] * weight[3]);
  const double allowed =
      (schedule.relative_error == nullptr ? 1 : schedule.relative_error(kernel, knobs)) * 0x1p-24 * (16 + 2 * terms);
  const double w = problem.w;
  for (size_t o = 0; o < found.size(); ++o) {
    const Value& output = kernel.body.values[static_cast<size_t>(kernel.body.outputs[o])];
    const Tensor& right = expected.at(output.name);
    const double largest = std::abs(*std::ranges::max_element(right.data, {}, [](double v) { return std::abs(v); }));
    // A row's errors add up, those of squares times twice the distances, whose squares' sum is at most `largest`.
    const double of_squares = 4 * allowed * std::sqrt(w * largest) + w * 0x1p-24 * largest;
    const double scales[] = {allowed, allowed, 2 * w * allowed, of_squares};
    const std::string difference = first_difference(right, to_values(found[o]), scales[o]);
    if (!difference.empty()) return fmt::format("result {}: {}", o, difference);
  }
  return "";
}

std::string check(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs, const TargetSpec& target,
                  const Problem& problem) {
  try {
    return first_error(kernel, schedule, knobs, target, problem);
  } catch (const Halide::Error& error) {
    return error.what();
  }
}

std::vector<Knobs> starts_of(const ScheduleTemplate& schedule, const Kernel& kernel, const TargetSpec& target) {
  if (schedule.starts == nullptr) return {schedule.defaults(kernel, BatchClass::kMany, target)};
  return schedule.starts(kernel, BatchClass::kMany, target);
}

// Those and, of a template with blocks of tiles, narrow ones, so that rows are of several, and shares of what is made.
std::vector<Knobs> knobs_to_try(const ScheduleTemplate& schedule, const Kernel& kernel, const TargetSpec& target) {
  std::vector<Knobs> all = starts_of(schedule, kernel, target);
  if (!all[0].contains("tx")) return all;
  Knobs narrow = all[0];
  narrow["tx"] = narrow["ty"] = 1;
  for (int64_t tasks : {1, 2}) {
    narrow["tasks"] = tasks;
    all.push_back(narrow);
  }
  return all;
}

TEST_CASE("convolutions with sums of their rows, for each tile and however the work is shared out") {
  const TargetSpec target = find_target("host").value();
  for (const Problem& problem : kProblems) {
    const Kernel kernel = parse_kernel(key_of(problem)).value();
    REQUIRE(takes(templates::conv2d_direct, kernel, target));
    for (const ScheduleTemplate* schedule : {&templates::conv2d_direct, &templates::conv2d_winograd}) {
      if (!takes(*schedule, kernel, target)) continue;
      for (const Knobs& knobs : knobs_to_try(*schedule, kernel, target)) {
        INFO(schedule->name << " " << to_string(knobs) << " of " << std::string(problem.input));
        CHECK(check(kernel, *schedule, knobs, target, problem) == "");
      }
    }
  }
}

}  // namespace
}  // namespace convoke
