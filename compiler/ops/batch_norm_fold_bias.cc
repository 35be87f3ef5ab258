// batch_norm_fold_bias(weight, bias, mean, variance f32[c][, b f32[c]]) {epsilon} -> f32[c]:
// bias + (b − mean)·weight/√(variance + ε), the convolution's bias (0 when absent) with a batch normalisation folded
// in.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("epsilon", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node,
                                  {{"weight", "f32[c]"},
                                   {"bias", "f32[c]"},
                                   {"mean", "f32[c]"},
                                   {"variance", "f32[c]"},
                                   {"convolution's bias", "f32[c]"}},
                                  /*optional=*/1));
  return std::vector{node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double epsilon = attr_float(node.attrs, "epsilon");
  for (size_t i = 0; i < inputs[0]->data.size(); ++i) {
    const double b = inputs.size() == 5 ? inputs[4]->data[i] : 0;
    const double scale = inputs[0]->data[i] / std::sqrt(inputs[3]->data[i] + epsilon);
    outputs[0].data[i] = inputs[1]->data[i] + (b - inputs[2]->data[i]) * scale;
  }
}

}  // namespace

const OpDef ops::batch_norm_fold_bias = {
    "batch_norm_fold_bias", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
