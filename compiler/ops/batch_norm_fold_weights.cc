// batch_norm_fold_weights(w f32[o,i,kh,kw], weight, variance f32[o]) {epsilon} -> as w: w·weight/√(variance + ε), the
// convolution's weight with a batch normalisation behind it folded in.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("epsilon", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"weight", "f32[o,i,kh,kw]"}, {"scale", "f32[o]"}, {"variance", "f32[o]"}}));
  return std::vector{node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double epsilon = attr_float(node.attrs, "epsilon");
  const size_t per_output = inputs[0]->data.size() / inputs[1]->data.size();
  for (size_t i = 0; i < inputs[0]->data.size(); ++i) {
    const size_t o = i / per_output;
    outputs[0].data[i] = inputs[0]->data[i] * inputs[1]->data[o] / std::sqrt(inputs[2]->data[o] + epsilon);
  }
}

}  // namespace

const OpDef ops::batch_norm_fold_weights = {
    "batch_norm_fold_weights", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
