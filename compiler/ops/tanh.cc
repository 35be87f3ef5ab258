// tanh(x) -> as x: y = tanh x.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) { return infer_elementwise(node, {"input"}); }

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  map_unary(inputs, outputs, [](double x) { return std::tanh(x); });
}

std::vector<ValueId> vjp(Builder& builder, const NodeView&, const NodeValues& values, std::span<const ValueId> dys) {
  return {builder.add1(values.name, "tanh_backward", {dys[0], values.results[0]})};
}

}  // namespace

const OpDef ops::tanh = {"tanh", infer, reference, vjp, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
