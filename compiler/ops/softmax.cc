// softmax(x f32[n,k] or f32[n,h,w,k]) -> as x: y = e^x / Σ_k e^x, shifted by the maximum.
#include "compiler/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  const bool flat = node.inputs.size() == 1 && node.inputs[0].rank() == 2;
  RETURN_IF_ERROR(expect_operands(node, {{"input", flat ? "f32[n,k]" : "f32[n,h,w,k]"}}));
  return std::vector{node.inputs[0]};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const int64_t k = inputs[0]->dims.back();
  for (int64_t row = 0; row < inputs[0]->elems(); row += k) {
    const double* x = &inputs[0]->data[row];
    const double shift = log_sum_exp(x, k);
    for (int64_t i = 0; i < k; ++i) outputs[0].data[row + i] = std::exp(x[i] - shift);
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView&, const NodeValues& values, std::span<const ValueId> dys) {
  return {builder.add1(values.name, "softmax_backward", {dys[0], values.results[0]})};
}

}  // namespace

double log_sum_exp(const double* x, int64_t k) {
  const double most = *std::max_element(x, x + k);
  double sum = 0;
  for (int64_t i = 0; i < k; ++i) sum += std::exp(x[i] - most);
  return most + std::log(sum);
}

const OpDef ops::softmax = {"softmax", infer, reference, vjp, {.work = result_elems}};

}  // namespace convoke
