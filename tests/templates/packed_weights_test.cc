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
    {"f32[16,3,7,7]", "plain", "winograd3stride2:0/16.2.3.1.0%16"},
    {"f32[6,5,3,3]", "plain", "winograd4:0/4.2.3.1.0%4"},
    {"f32[40,24,3,3]", "0/16.2.3.1.0%16", "winograd4rotated:1/12.2.3.0.1%12"},
    {"f32[64,48,3,2]", "0/32.2.3.1.0%32", "1/48.2.3.0.1%48"},
    {"f32[40,48,1,1]", "0/48.2.3.1.0%48", "1/16.2.3.0.1%16"},
    {"f32[40,20,1,1]", "0/16.2.3.1.0%16", "1/16.2.3.0.1%16"},
    {"f32[24,32,3,3]", "1/16.2.3.0.1%16", "0/12.2.3.1.0%12"}};

std::string first_error(const Problem& problem, const TargetSpec& target) {
  const Type type = parse_type(problem.type).value();
  Kernel kernel = single_op_kernel("pack", {}, {type});
  kernel.input_layouts[0] = parse_layout(problem.stored).value();
  kernel.output_layouts[0] = parse_layout(problem.read).value();
  CHECK(kernel_key(parse_kernel(kernel_key(kernel)).value()) == kernel_key(kernel));
  const Instance instance = lookup(kernel, BatchClass::kMany, target).value();
  BuiltKernel built = find_template(instance.template_name)->build(kernel, instance.knobs, target).value();
  const Tensor weight = make_values(type, -1, 1, 1, 0);
  const Tensor expected = to_storage(type, kernel.output_layouts[0], weight);
  Halide::Buffer<> result = to_buffer({.dtype = DType::kF32, .dims = {}}, Tensor(expected.dims));
  Halide::Callable callable = built.pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target));
  const Tensor stored = to_storage(type, kernel.input_layouts[0], weight);
  if (callable(to_buffer({.dtype = DType::kF32, .dims = {}}, stored), result) != 0) return "the call failed";
  constexpr double kRounding = 0x1p-21;  // a transform rounds four times an axis
  return first_difference(expected, to_values(result), kRounding);
}

TEST_CASE("weights are packed as their layout says") {
  const TargetSpec target = find_target("host").value();
  for (const Problem& problem : kProblems) {
    INFO(problem.read);
    try {
      CHECK(first_error(problem, target) == "");
    } catch (const Halide::Error& error) {
      FAIL(error.what());
    }
  }
}

}  // namespace
}  // namespace convoke
