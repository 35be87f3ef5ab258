// pack(x) -> as x: the same values, perhaps in another layout.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  if (node.inputs.size() != 1) return invalid_argument("pack has another number of operands than 1");
  return std::vector{node.inputs[0]};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  outputs[0].data = inputs[0]->data;
}

}  // namespace

const OpDef ops::pack = {"pack", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
