// sigmoid_backward(dy, y) -> as y: dx = dy·y·(1−y).
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) { return infer_elementwise(node, {"output gradient", "output"}); }

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  map_binary(inputs, outputs, [](double dy, double y) { return dy * y * (1 - y); });
}

}  // namespace

const OpDef ops::sigmoid_backward = {
    "sigmoid_backward", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
