// Every case's Halide definition, without schedule, against the reference. Halide's own checks are on, so that a read
// outside an operand is an error too.
#include "compiler/ops/lower/lower.h"

#include <doctest/doctest.h>

#include "tests/lower/buffers.h"

namespace convoke {
namespace {

std::vector<Halide::Buffer<>> run_lowered(const Case& test_case, const std::vector<Tensor>& inputs) {
  LowerInputs operands;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Type& type = test_case.operands[i].type;
    Halide::ImageParam param(halide_type(type.dtype), type.rank());
    param.set(to_buffer(type, inputs[i]));
    operands.funcs.push_back(param);
    if (type.has_batch()) operands.batch = param.dim(type.rank() - 1).extent();
  }
  const std::vector<Halide::Func> funcs = lower(view(test_case), operands);
  REQUIRE(funcs.size() == test_case.results.size());
  std::vector<Halide::Buffer<>> outputs;
  for (const Type& type : test_case.results) outputs.push_back(make_buffer(type, test_case.batch));
  Halide::Pipeline(funcs).realize(Halide::Realization(outputs));
  return outputs;
}

void check_lowered(const Case& test_case) {
  const std::vector<Tensor> inputs = make_inputs(test_case);
  const std::vector<Tensor> expected = run_reference(test_case, inputs);
  const std::vector<Halide::Buffer<>> found = run_lowered(test_case, inputs);
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string difference =
        first_difference(expected[i], to_values(found[i]), tolerance(test_case, expected[i]));
    INFO(difference);
    CHECK(difference.empty());
  }
}

TEST_CASE("definitions against references") {
  for (const OpDef* op : all_ops()) {
    for (const Case& test_case : load_valid_cases(op->name)) {
      INFO(to_string(test_case));
      try {
        check_lowered(test_case);
      } catch (const Halide::Error& error) {
        FAIL_CHECK(std::string(error.what()));
      }
    }
  }
}

}  // namespace
}  // namespace convoke
