// channel_moments(x f32[n,h,w,c]) -> (mean, variance f32[c]): over samples and pixels, variance biased.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}}));
  const Type channels = f32({node.inputs[0].dims[3]});
  return std::vector{channels, channels};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  const auto c = static_cast<size_t>(x.dim(3));
  const double count = static_cast<double>(x.elems()) / static_cast<double>(c);
  Tensor &mean = outputs[0], &variance = outputs[1];
  for (size_t i = 0; i < x.data.size(); ++i) mean.data[i % c] += x.data[i] / count;
  for (size_t i = 0; i < x.data.size(); ++i) variance.data[i % c] += std::pow(x.data[i] - mean.data[i % c], 2) / count;
}

}  // namespace

const OpDef ops::channel_moments = {"channel_moments", infer, reference, nullptr, {.work = [](const NodeView& node) {
                                      return 2 * node.inputs[0].elems();
                                    }}};

}  // namespace convoke
