// channel_sum(x f32[n,…,c]) -> f32[c]: sums over everything but the channel; the gradient of a bias.
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  const bool flat = node.inputs.size() == 1 && node.inputs[0].rank() == 2;
  RETURN_IF_ERROR(expect_operands(node, {{"input", flat ? "f32[n,c]" : "f32[n,h,w,c]"}}));
  return std::vector{f32({node.inputs[0].dims.back()})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const std::vector<double>& x = inputs[0]->data;
  std::vector<double>& sum = outputs[0].data;
  for (size_t i = 0; i < x.size(); ++i) sum[i % sum.size()] += x[i];
}

int64_t work(const NodeView& node) { return node.inputs[0].elems(); }

}  // namespace

const OpDef ops::channel_sum = {"channel_sum", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
