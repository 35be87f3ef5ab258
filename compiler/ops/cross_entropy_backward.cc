// cross_entropy_backward(logits f32[n,k], labels i32[n], dloss f32[]) {label_smoothing=s} -> f32[n,k]:
// dloss/n·(softmax − t), t = (1−s)·onehot + s/k.
#include <cmath>

#include "compiler/ops/elementwise.h"
#include "compiler/ops/softmax.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("label_smoothing", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"logits", "f32[n,k]"}, {"labels", "i32[n]"}, {"loss gradient", "f32[]"}}));
  return std::vector{node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  const double smoothing = attr_float(node.attrs, "label_smoothing");
  const int64_t n = x.dim(0), k = x.dim(1);
  for (int64_t row = 0; row < n; ++row) {
    const double* logits = &x.data[row * k];
    const double lse = log_sum_exp(logits, k);
    const auto label = static_cast<int64_t>(inputs[1]->data[row]);
    for (int64_t i = 0; i < k; ++i) {
      const double target = (i == label ? 1 - smoothing : 0) + smoothing / static_cast<double>(k);
      outputs[0].data[row * k + i] = inputs[2]->data[0] / static_cast<double>(n) * (std::exp(logits[i] - lse) - target);
    }
  }
}

}  // namespace

const OpDef ops::cross_entropy_backward = {"cross_entropy_backward", infer, reference, nullptr, {.work = result_elems}};

}  // namespace convoke
