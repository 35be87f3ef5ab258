// batch_norm2d_backward_reduce(dy, x f32[n,h,w,c], mean, variance f32[c]) {epsilon} -> (dweight = Σ dy·x̂, dbias = Σ
// dy), x̂ = (x − mean)/√(variance + ε).
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("epsilon", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(
      node,
      {{"output gradient", "f32[n,h,w,c]"}, {"input", "f32[n,h,w,c]"}, {"mean", "f32[c]"}, {"variance", "f32[c]"}}));
  return std::vector{node.inputs[2], node.inputs[2]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double epsilon = attr_float(node.attrs, "epsilon");
  const auto c = static_cast<size_t>(inputs[0]->dim(3));
  for (size_t i = 0; i < inputs[0]->data.size(); ++i) {
    const size_t k = i % c;
    const double normalised = (inputs[1]->data[i] - inputs[2]->data[k]) / std::sqrt(inputs[3]->data[k] + epsilon);
    outputs[0].data[k] += inputs[0]->data[i] * normalised;
    outputs[1].data[k] += inputs[0]->data[i];
  }
}

}  // namespace

const OpDef ops::batch_norm2d_backward_reduce = {
    "batch_norm2d_backward_reduce", infer, reference, nullptr, {.work = [](const NodeView& node) {
      return 2 * node.inputs[0].elems();
    }}};

}  // namespace convoke
