// batch_norm2d(x f32[n,h,w,c], weight, bias, mean, variance f32[c]) {epsilon} -> as x:
// y = weight·(x − mean)/√(variance + ε) + bias. With running statistics it is evaluation, with the batch's training.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("epsilon", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"},
                                         {"weight", "f32[c]"},
                                         {"bias", "f32[c]"},
                                         {"mean", "f32[c]"},
                                         {"variance", "f32[c]"}}));
  return std::vector{node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double epsilon = attr_float(node.attrs, "epsilon");
  const auto c = static_cast<size_t>(inputs[0]->dim(3));
  for (size_t i = 0; i < inputs[0]->data.size(); ++i) {
    const size_t k = i % c;
    const double scale = inputs[1]->data[k] / std::sqrt(inputs[4]->data[k] + epsilon);
    outputs[0].data[i] = scale * (inputs[0]->data[i] - inputs[3]->data[k]) + inputs[2]->data[k];
  }
}

}  // namespace

const OpDef ops::batch_norm2d = {
    "batch_norm2d", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
