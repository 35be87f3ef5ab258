// Convolutions with a max-pooling behind them, as inference has them: windows that tiles hold and windows that only
// several tiles hold together, with elementwise work on either side of the pooling.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "compiler/ops/interpreter.h"
#include "schedules/templates/template.h"
#include "tests/lower/buffers.h"

namespace convoke {
namespace {

constexpr int64_t kBatchOfCall = 3;

struct Problem {
  const char* input;
  const char* weight;
  int padding, stride;  // of the convolution
  const char* convolved;
  int pool;
  const char* pooled;
};

constexpr Problem kProblems[] = {{"16,12,24", "32,24,3,3", 1, 1, "16,12,32", 2, "8,6,32"},
                                 {"28,28,16", "64,16,3,3", 1, 1, "28,28,64", 2, "14,14,64"},
                                 {"11,8,5", "16,5,3,3", 0, 1, "9,6,16", 3, "3,2,16"},
                                 {"8,10,16", "20,16,5,5", 2, 1, "8,10,20", 2, "4,5,20"},
                                 {"23,23,3", "16,3,7,7", 3, 2, "12,12,16", 2, "6,6,16"}};

std::string key_of(const Problem& p) {
  return fmt::format(
      "graph kernel\n%a0 = input() : f32[n,{0}]\n%a1 = input() : f32[{1}]\n%a2 = input() : f32[n,{2}]\n"
      "%a3 = input() : f32[n,{3}]\n"
      "%v0 = conv2d(%a0, %a1) {{dilation=[1,1], groups=1, padding=[{4},{4},{4},{4}], stride=[{5},{5}]}} : f32[n,{2}]\n"
      "%v1 = add(%v0, %a2) : f32[n,{2}]\n"
      "%v2, %v2.1 = max_pool2d(%v1) {{dilation=[1,1], kernel_size=[{6},{6}], padding=[0,0,0,0], stride=[{6},{6}]}} : "
      "f32[n,{3}], u8[n,{3}]\n"
      "%v3 = add(%v2, %a3) : f32[n,{3}]\noutput %v3\n",
      p.input, p.weight, p.convolved, p.pooled, p.padding, p.stride, p.pool);
}

// The first difference from the graph's own result; empty when there is none.
std::string first_error(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                        const TargetSpec& target) {
  BuiltKernel built = schedule.build(kernel, knobs, target).value();
  Halide::Callable callable = built.pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target));
  Environment sources;
  std::vector<Halide::Buffer<>> buffers;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Value& input = kernel.body.values[static_cast<size_t>(kernel.inputs[i])];
    sources[input.name] = make_values(input.type, -1, 1, kBatchOfCall, static_cast<int>(i));
    buffers.push_back(to_buffer(input.type, sources[input.name]));
  }
  const Value& output = kernel.body.values[static_cast<size_t>(kernel.body.outputs[0])];
  Halide::Buffer<> found = make_buffer(output.type, kBatchOfCall);
  if (callable(buffers[0], buffers[1], buffers[2], buffers[3], found) != 0) return "the call failed";
  const std::vector<int64_t>& weight = kernel.body.type(kernel.inputs[1]).dims;
  const double terms = static_cast<double>(weight[1] * weight[2] * weight[3]);
  return first_difference(interpret(kernel.body, sources).at(output.name), to_values(found),
                          schedule.relative_error(kernel, knobs) * 0x1p-24 * (16 + 2 * terms));
}

std::string check(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                  const TargetSpec& target) {
  try {
    return first_error(kernel, schedule, knobs, target);
  } catch (const Halide::Error& error) {
    return error.what();
  }
}

TEST_CASE("max-poolings behind convolutions, for each tile and however the work is shared out") {
  const TargetSpec target = find_target("host").value();
  for (const Problem& problem : kProblems) {
    const Kernel kernel = parse_kernel(key_of(problem)).value();
    REQUIRE(takes(templates::conv2d_winograd, kernel, target));
    for (const ScheduleTemplate* schedule : {&templates::conv2d_winograd, &templates::conv2d_winograd_large}) {
      if (!takes(*schedule, kernel, target)) continue;
      for (Knobs knobs : schedule->starts(kernel, BatchClass::kMany, target)) {
        for (int64_t tasks : {1, 4}) {
          knobs["tasks"] = tasks;
          INFO(schedule->name << " " << to_string(knobs) << " of " << std::string(problem.input));
          CHECK(check(kernel, *schedule, knobs, target) == "");
        }
      }
    }
  }
}

TEST_CASE("poolings that overlap or leave pixels out are kernels of their own") {
  const TargetSpec target = find_target("host").value();
  for (const char* attrs : {"kernel_size=[3,3], padding=[0,0,0,0], stride=[2,2]} : f32[n,5,5,32], u8[n,5,5,32]",
                            "kernel_size=[5,5], padding=[0,0,0,0], stride=[5,5]} : f32[n,2,2,32], u8[n,2,2,32]",
                            "kernel_size=[2,2], padding=[1,1,1,1], stride=[2,2]} : f32[n,7,7,32], u8[n,7,7,32]"}) {
    const Kernel kernel =
        parse_kernel(std::string("graph kernel\n%a0 = input() : f32[n,12,12,32]\n%a1 = input() : f32[32,32,3,3]\n"
                                 "%v0 = conv2d(%a0, %a1) {dilation=[1,1], groups=1, padding=[1,1,1,1], stride=[1,1]} : "
                                 "f32[n,12,12,32]\n%v1, %v1.1 = max_pool2d(%v0) {dilation=[1,1], ") +
                     attrs + "\noutput %v1\n")
            .value();
    for (const ScheduleTemplate* schedule : all_templates()) CHECK_FALSE(takes(*schedule, kernel, target));
  }
}

}  // namespace
}  // namespace convoke
