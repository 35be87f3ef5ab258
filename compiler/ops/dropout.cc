// dropout(x) {p} -> as x: nothing, outside of training (Srivastava et al. 2014; PyTorch's inverted form).
// passes/train_dropout.cc makes it dropout_train.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("p", 0, 1)}));
  if (node.inputs.size() != 1 || node.inputs[0].dtype != DType::kF32 || !node.inputs[0].has_batch()) {
    return invalid_argument("dropout needs one operand f32 with a batch");
  }
  return std::vector{node.inputs[0]};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  map_unary(inputs, outputs, [](double x) { return x; });
}

std::vector<ValueId> vjp(Builder&, const NodeView&, const NodeValues&, std::span<const ValueId> dys) {
  return {dys[0]};
}

}  // namespace

const OpDef ops::dropout = {"dropout", infer, reference, vjp, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
