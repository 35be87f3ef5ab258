// accumulate(g, dg, flag f32[]) -> as g: flag ≠ 0 ? g + dg : dg. Without the flag g is not looked at.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  if (node.inputs.size() != 3 || node.inputs[2] != f32({}) || node.inputs[0] != node.inputs[1]) {
    return invalid_argument("accumulate needs two operands of one type and a flag f32[]");
  }
  return std::vector{node.inputs[0]};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const bool add = inputs[2]->data[0] != 0;
  map_binary(inputs, outputs, [&](double g, double dg) { return add ? g + dg : dg; });
}

}  // namespace

const OpDef ops::accumulate = {
    "accumulate", infer, reference, nullptr, {.elementwise = true, .in_place = true, .work = result_elems}};

}  // namespace convoke
