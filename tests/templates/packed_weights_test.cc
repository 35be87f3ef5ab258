// Weights packed into layouts that order or transform them, from wherever they are stored, against the definition.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "compiler/ir/text.h"
#include "schedules/database/lookup.h"
#include "schedules/templates/template.h"
#include "tests/lower/buffers.h"
#include "tests/templates/storage.h"

namespace convoke {
namespace {

struct Problem {
  const char* type;
  const char* stored;
  const char* read;
};

constexpr Problem kProblems[] = {
    {"f32[32,24,3,3]", "plain", "winograd4:0/16.2.3.1.0%16"},
    {"f32[32,24,3,3]", "(32,24,3,3)0/16.2.3.1.0%16", "winograd4:(32,24,3,3)0/16.2.3.1.0%16"},
    {"f32[32,24,3,3]", "(32,24,3,3)0/16.2.3.1.0%16", "winograd4rotated:(32,24,3,3)1/8.2.3.0.1%8"},
    {"f32[24,32,3,3]", "0/8.2.3.1.0%8", "winograd2:0/8.2.3.1.0%8"},
    {"f32[16,40,5,5]", "plain", "winograd2rotated:1/8.2.3.0.1%8"},
    {"f32[32,16,3,3]", "0/16.2.3.1.0%16", "winograd6:0/16.2.3.1.0%16"},
    {"f32[32,16,3,3]", "plain", "winograd5rotated:1/16.2.3.0.1%16"},
    {"f32[32,16,3,3]", "0/16.2.3.1.0%16", "winograd7:2.0/16.3.1.0%16"},
    {"f32[32,16,3,3]", "0/16.2.3.1.0%16", "winograd4stride2:0/32.2.3.1.0%32"},
    {"f32[32,16,3,3]", "0/16.2.3.1.0%16", "winograd2x4:0/32.2.3.1.0%32"},
    {"f32[32,16,3,3]", "0/16.2.3.1.0%16", "winograd2x4rotated:1/16.2.3.0.1%16"},
    {"f32[16,3,7,7]", "plain", "winograd3stride2:0/16.2.3.1.0%16"},
    {"f32[6,5,3,3]", "plain", "winograd4:0/4.2.3.1.0%4"},
    {"f32[40,24,3,3]", "0/16.2.3.1.0%16", "winograd4rotated:1/12.2.3.0.1%12"},
    {"f32[64,48,3,2]", "0/32.2.3.1.0%32", "1/48.2.3.0.1%48"},
    {"f32[40,48,1,1]", "0/48.2.3.1.0%48", "1/16.2.3.0.1%16"},
    {"f32[40,20,1,1]", "0/16.2.3.1.0%16", "1/16.2.3.0.1%16"},
    {"f32[24,32,3,3]", "1/16.2.3.0.1%16", "0/12.2.3.1.0%12"}};

// Of a kernel of one node that makes a weight of the problem's type, from one operand or from three.
std::string first_error(Kernel kernel, const Problem& problem, const TargetSpec& target) {
  kernel.input_layouts[0] = parse_layout(problem.stored).value();
  kernel.output_layouts[0] = parse_layout(problem.read).value();
  CHECK(kernel_key(parse_kernel(kernel_key(kernel)).value()) == kernel_key(kernel));
  const Instance instance = lookup(kernel, BatchClass::kMany, target).value();
  BuiltKernel built = find_template(instance.template_name)->build(kernel, instance.knobs, target).value();
  Halide::Callable callable = built.pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target));

  const Type stored = {.dtype = DType::kF32, .dims = {}};  // whatever the dims
  std::vector<Tensor> operands;
  std::vector<Halide::Buffer<>> buffers;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    operands.push_back(make_values(type, i == 0 ? -1 : 0.5, 1, 1, static_cast<int>(i)));
    buffers.push_back(to_buffer(stored, to_storage(type, kernel.input_layouts[i], operands[i])));
  }
  std::vector<const Tensor*> pointers;
  for (const Tensor& operand : operands) pointers.push_back(&operand);
  const Node& node = kernel.body.nodes.back();
  const Tensor logical = run_reference(view(kernel.body, node), pointers, 1)[0];
  const Tensor expected = to_storage(kernel.body.type(node.results[0]), kernel.output_layouts[0], logical);
  Halide::Buffer<> result = to_buffer(stored, Tensor(expected.dims));
  const int code =
      buffers.size() == 1 ? callable(buffers[0], result) : callable(buffers[0], buffers[1], buffers[2], result);
  if (code != 0) return "the call failed";
  constexpr double kRounding = 0x1p-21;  // a transform rounds four times an axis
  return first_difference(expected, to_values(result), kRounding);
}

void check(const Kernel& kernel, const Problem& problem) {
  INFO(std::string(problem.stored) << " to " << std::string(problem.read));
  try {
    CHECK(first_error(kernel, problem, find_target("host").value()) == "");
  } catch (const Halide::Error& error) {
    FAIL(error.what());
  }
}

TEST_CASE("weights are packed as their layout says") {
  for (const Problem& problem : kProblems) {
    check(single_op_kernel("pack", {}, {parse_type(problem.type).value()}), problem);
  }
}

TEST_CASE("weights with a batch norm folded in are packed as their layout says") {
  for (const Problem& problem : kProblems) {
    const Type weight = parse_type(problem.type).value();
    const Type channels = {.dtype = DType::kF32, .dims = {weight.dims[0]}};
    check(single_op_kernel("batch_norm_fold_weights", {{"epsilon", 1e-5}}, {weight, channels, channels}), problem);
  }
}

}  // namespace
}  // namespace convoke
