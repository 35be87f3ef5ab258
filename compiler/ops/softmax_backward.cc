// softmax_backward(dy, y) -> as y: dx = y·(dy − Σ_k dy·y).
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  const bool flat = node.inputs.size() == 2 && node.inputs[0].rank() == 2;
  const std::string_view pattern = flat ? "f32[n,k]" : "f32[n,h,w,k]";
  RETURN_IF_ERROR(expect_operands(node, {{"output gradient", pattern}, {"output", pattern}}));
  return std::vector{node.inputs[0]};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const auto k = static_cast<size_t>(inputs[0]->dims.back());
  for (size_t row = 0; row < inputs[0]->data.size(); row += k) {
    const double *dy = &inputs[0]->data[row], *y = &inputs[1]->data[row];
    double dot = 0;
    for (size_t i = 0; i < k; ++i) dot += dy[i] * y[i];
    for (size_t i = 0; i < k; ++i) outputs[0].data[row + i] = y[i] * (dy[i] - dot);
  }
}

}  // namespace

const OpDef ops::softmax_backward = {"softmax_backward", infer, reference, nullptr, {.work = result_elems}};

}  // namespace convoke
