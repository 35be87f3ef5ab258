// Every case's Halide definition, without schedule, against the reference. Halide's own checks are on, so that a read
// outside an operand is an error too.
#include "compiler/ops/lower/lower.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/cases.h"

namespace convoke {
namespace {

Halide::Type halide_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return Halide::Float(32);
    case DType::kI32:
      return Halide::Int(32);
    case DType::kU8:
      return Halide::UInt(8);
  }
  return {};
}

Halide::Buffer<> make_buffer(const Type& type, int64_t batch) {
  const std::vector<int64_t> dims = concrete(type, batch);
  return Halide::Buffer<>(halide_type(type.dtype), std::vector<int>(dims.rbegin(), dims.rend()));
}

// Halide's innermost dimension is the tensor's last: the same order of elements.
template <typename T>
void copy_in(const Tensor& from, Halide::Buffer<>& to) {
  std::copy(from.data.begin(), from.data.end(), static_cast<T*>(to.data()));
}

template <typename T>
std::vector<double> copy_out(const Halide::Buffer<>& from) {
  const T* data = static_cast<const T*>(from.data());
  return {data, data + from.number_of_elements()};
}

void fill(const Type& type, const Tensor& from, Halide::Buffer<>& to) {
  if (type.dtype == DType::kF32) copy_in<float>(from, to);
  if (type.dtype == DType::kI32) copy_in<int32_t>(from, to);
  if (type.dtype == DType::kU8) copy_in<uint8_t>(from, to);
}

std::vector<double> values(const Type& type, const Halide::Buffer<>& from) {
  if (type.dtype == DType::kF32) return copy_out<float>(from);
  return type.dtype == DType::kI32 ? copy_out<int32_t>(from) : copy_out<uint8_t>(from);
}

std::vector<Halide::Buffer<>> run_lowered(const Case& test_case, const std::vector<Tensor>& inputs) {
  LowerInputs operands;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Type& type = test_case.operands[i].type;
    Halide::ImageParam param(halide_type(type.dtype), type.rank());
    Halide::Buffer<> buffer = make_buffer(type, test_case.batch);
    fill(type, inputs[i], buffer);
    param.set(buffer);
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

void check_close(const Case& test_case, const Tensor& expected, const std::vector<double>& found) {
  const double allowed = tolerance(test_case, expected);
  REQUIRE(found.size() == expected.data.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::fabs(found[i] - expected.data[i]) <= allowed) continue;
    FAIL_CHECK("element " << i << " is " << found[i] << ", expected " << expected.data[i] << " ± " << allowed);
    return;
  }
}

TEST_CASE("definitions against references") {
  for (const OpDef* op : all_ops()) {
    for (const Case& test_case : load_valid_cases(op->name)) {
      INFO(to_string(test_case));
      const std::vector<Tensor> inputs = make_inputs(test_case);
      const std::vector<Tensor> expected = run_reference(test_case, inputs);
      const std::vector<Halide::Buffer<>> found = run_lowered(test_case, inputs);
      for (size_t i = 0; i < found.size(); ++i) {
        check_close(test_case, expected[i], values(test_case.results[i], found[i]));
      }
    }
  }
}

}  // namespace
}  // namespace convoke
