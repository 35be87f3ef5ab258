// relu_backward(dy, y) -> as y: dx = dy where y > 0, else 0.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) { return infer_elementwise(node, {"output gradient", "output"}); }

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  map_binary(inputs, outputs, [](double dy, double y) { return y > 0 ? dy : 0.0; });
}

}  // namespace

const OpDef ops::relu_backward = {
    "relu_backward", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
