// accuracy(logits f32[n,k], labels i32[n]) -> f32[]: the share of rows whose first largest logit is the label's.
#include <algorithm>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  RETURN_IF_ERROR(expect_operands(node, {{"logits", "f32[n,k]"}, {"labels", "i32[n]"}}));
  return std::vector{f32({})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  const int64_t n = x.dim(0), k = x.dim(1);
  for (int64_t row = 0; row < n; ++row) {
    const double* logits = &x.data[row * k];
    const bool right = std::max_element(logits, logits + k) - logits == static_cast<int64_t>(inputs[1]->data[row]);
    if (right) outputs[0].data[0] += 1 / static_cast<double>(n);
  }
}

}  // namespace

const OpDef ops::accuracy = {
    "accuracy", infer, reference, nullptr, {.work = [](const NodeView& node) { return node.inputs[0].elems(); }}};

}  // namespace convoke
