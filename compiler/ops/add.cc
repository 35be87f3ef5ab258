// add(x, y) -> as x: x + y.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  return infer_elementwise(node, {"first operand", "second operand"});
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  map_binary(inputs, outputs, [](double x, double y) { return x + y; });
}

std::vector<ValueId> vjp(Builder&, const NodeView&, const NodeValues&, std::span<const ValueId> dys) {
  return {dys[0], dys[0]};
}

}  // namespace

const OpDef ops::add = {"add", infer, reference, vjp, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
