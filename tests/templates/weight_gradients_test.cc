// Weight gradients as training has them: added to the gradient of earlier micro-batches, in its memory, in whatever
// layout the parameter is stored; of sizes at which the template cuts the weight, not the batch, into tasks.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "compiler/ops/conv2d.h"
#include "schedules/templates/template.h"
#include "tests/lower/buffers.h"
#include "tests/templates/storage.h"

namespace convoke {
namespace {

constexpr int64_t kBatchOfCall = 3;

struct Problem {
  const char* gradient;
  const char* input;
  const char* attrs;
  const char* weight;
};

constexpr Problem kProblems[] = {
    {"f32[n,6,5,64]", "f32[n,6,5,64]", "{dilation=[1,1], groups=1, kernel_size=[3,3], padding=[1,1,1,1], stride=[1,1]}",
     "f32[64,64,3,3]"},
    {"f32[n,9,14,48]", "f32[n,9,14,32]",
     "{dilation=[1,1], groups=1, kernel_size=[3,3], padding=[1,1,1,1], stride=[1,1]}", "f32[48,32,3,3]"},
    {"f32[n,8,9,48]", "f32[n,8,9,16]", "{dilation=[1,1], groups=1, kernel_size=[5,5], padding=[2,2,2,2], stride=[1,1]}",
     "f32[48,16,5,5]"},
    {"f32[n,5,4,40]", "f32[n,9,8,70]", "{dilation=[1,1], groups=1, kernel_size=[3,2], padding=[1,1,0,1], stride=[2,2]}",
     "f32[40,70,3,2]"},
    {"f32[n,3,4,72]", "f32[n,6,7,96]", "{dilation=[1,1], groups=1, kernel_size=[1,1], padding=[0,0,0,0], stride=[2,2]}",
     "f32[72,96,1,1]"},
    {"f32[n,7,6,64]", "f32[n,7,6,32]", "{dilation=[3,2], groups=2, kernel_size=[3,3], padding=[3,3,2,2], stride=[1,1]}",
     "f32[64,16,3,3]"},
    {"f32[n,3,2,400]", "f32[n,3,2,256]",
     "{dilation=[1,1], groups=1, kernel_size=[1,1], padding=[0,0,0,0], stride=[1,1]}", "f32[400,256,1,1]"},
    {"f32[n,2,2,512]", "f32[n,2,2,192]",
     "{dilation=[1,1], groups=1, kernel_size=[1,1], padding=[0,0,0,0], stride=[1,1]}", "f32[512,192,1,1]"},
    {"f32[n,2,3,1024]", "f32[n,2,3,256]",
     "{dilation=[1,1], groups=1, kernel_size=[1,1], padding=[0,0,0,0], stride=[1,1]}", "f32[1024,256,1,1]"},
    {"f32[n,4,5,6]", "f32[n,8,9,3]", "{dilation=[1,1], groups=1, kernel_size=[7,7], padding=[3,3,3,3], stride=[2,2]}",
     "f32[6,3,7,7]"}};

std::string key_of(const Problem& problem) {
  return fmt::format(
      "graph kernel\n%a0 = input() : {0}\n%a1 = input() : {1}\n%a2 = input() : {3}\n%a3 = input() : f32[]\n"
      "%v0 = conv2d_backward_weights(%a0, %a1) {2} : {3}\n%v1 = accumulate(%a2, %v0, %a3) : {3}\noutput %v1\n",
      problem.gradient, problem.input, problem.attrs, problem.weight);
}

// The first difference from the sum of both gradients; empty when there is none.
std::string first_error(Kernel kernel, const ScheduleTemplate& schedule, const Layout& layout,
                        const TargetSpec& target) {
  kernel.input_layouts[2] = kernel.output_layouts[0] = layout;
  const Knobs knobs = schedule.defaults(kernel, BatchClass::kMany, target);
  const double relative_error = schedule.relative_error == nullptr ? 1 : schedule.relative_error(kernel, knobs);
  BuiltKernel built = schedule.build(kernel, knobs, target).value();
  Halide::Callable callable = built.pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target));
  const auto type = [&](int input) { return kernel.body.type(kernel.inputs[static_cast<size_t>(input)]); };
  std::vector<Tensor> inputs;
  for (int i = 0; i < 3; ++i) inputs.push_back(make_values(type(i), -1, 1, kBatchOfCall, i));
  Tensor expected = run_reference(view(kernel.body, kernel.body.nodes[static_cast<size_t>(kernel.anchor)]),
                                  {&inputs[0], &inputs[1]}, kBatchOfCall)[0];
  for (size_t i = 0; i < expected.data.size(); ++i) expected.data[i] += inputs[2].data[i];

  Halide::Buffer<> gradient = to_buffer({.dtype = DType::kF32, .dims = {}}, to_storage(type(2), layout, inputs[2]));
  Halide::Buffer<float> flag = Halide::Buffer<float>::make_scalar();
  flag() = 1.0f;
  if (callable(to_buffer(type(0), inputs[0]), to_buffer(type(1), inputs[1]), gradient, flag, gradient) != 0) {
    return "the call failed";
  }
  Tensor storage(to_storage(type(2), layout, expected).dims);
  storage.data = to_values(gradient);
  const FromStorage found = from_storage(type(2), layout, storage, kBatchOfCall);
  if (!found.padding_is_zero) return "padding is not zero";
  const double terms = static_cast<double>(inputs[0].elems()) / static_cast<double>(inputs[0].dims.back());
  return first_difference(expected, found.logical.data, relative_error * 0x1p-24 * (16 + 2 * terms));
}

std::string check(const Kernel& kernel, const ScheduleTemplate& schedule, const Layout& layout,
                  const TargetSpec& target) {
  try {
    return first_error(kernel, schedule, layout, target);
  } catch (const Halide::Error& error) {
    return error.what();
  }
}

void check_layouts(const Problem& problem, const ScheduleTemplate& schedule, const TargetSpec& target) {
  const Kernel kernel = parse_kernel(key_of(problem)).value();
  if (!schedule.applies(kernel, target)) return;
  const std::vector<int64_t> dims = kernel.body.type(kernel.body.outputs[0]).dims;
  std::vector<Layout> layouts = {Layout{}};
  for (int64_t block : {6, 8, 16, 24, 32, 48, 64}) {
    if (block <= 2 * dims[0]) layouts.push_back(packed_weights(dims, block));
  }
  layouts.push_back(schedule.layouts(kernel, schedule.defaults(kernel, BatchClass::kMany, target), target).outputs[0]);
  for (const Layout& layout : layouts) {
    INFO(schedule.name << ": " << std::string(problem.weight) << " as " << to_string(layout));
    CHECK(check(kernel, schedule, layout, target) == "");
  }
}

TEST_CASE("weight gradients are added in place in any layout") {
  const TargetSpec target = find_target("host").value();
  for (const ScheduleTemplate* schedule :
       {&templates::conv2d_backward_weights, &templates::conv2d_backward_weights_winograd}) {
    REQUIRE(schedule->applies(parse_kernel(key_of(kProblems[0])).value(), target));
    for (const Problem& problem : kProblems) check_layouts(problem, *schedule, target);
  }
}

}  // namespace
}  // namespace convoke
