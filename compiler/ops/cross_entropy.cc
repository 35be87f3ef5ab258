// cross_entropy(logits f32[n,k], labels i32[n]) {label_smoothing=s} -> f32[]: the mean over n of −Σ_k t_k·log
// softmax_k, t = (1−s)·onehot + s/k (PyTorch's cross_entropy).
#include "compiler/ops/elementwise.h"
#include "compiler/ops/softmax.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("label_smoothing", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"logits", "f32[n,k]"}, {"labels", "i32[n]"}}));
  return std::vector{f32({})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  const double smoothing = attr_float(node.attrs, "label_smoothing");
  const int64_t n = x.dim(0), k = x.dim(1);
  for (int64_t row = 0; row < n; ++row) {
    const double* logits = &x.data[row * k];
    const double lse = log_sum_exp(logits, k);
    const auto label = static_cast<int64_t>(inputs[1]->data[row]);
    double mean = 0;
    for (int64_t i = 0; i < k; ++i) mean += (lse - logits[i]) / static_cast<double>(k);
    const double loss = (1 - smoothing) * (lse - logits[label]) + smoothing * mean;
    outputs[0].data[0] += loss / static_cast<double>(n);
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  return {builder.add1(values.name, "cross_entropy_backward", {values.inputs[0], values.inputs[1], dys[0]}, node.attrs),
          kNoValue};
}

}  // namespace

const OpDef ops::cross_entropy = {
    "cross_entropy", infer, reference, vjp, {.work = [](const NodeView& node) { return node.inputs[0].elems(); }}};

}  // namespace convoke
