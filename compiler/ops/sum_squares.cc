// sum_squares(x f32[p]) -> f32[]: Σ x².
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[p]"}}));
  return std::vector{f32({})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  for (double x : inputs[0]->data) outputs[0].data[0] += x * x;
}

}  // namespace

const OpDef ops::sum_squares = {
    "sum_squares", infer, reference, nullptr, {.work = [](const NodeView& node) { return node.inputs[0].elems(); }}};

}  // namespace convoke
