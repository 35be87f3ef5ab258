// batch_norm2d_train(x f32[n,h,w,c], weight, bias f32[c]) {epsilon} -> (y, mean, variance): batch_norm2d with the
// moments of the batch (variance biased). Lives between the training rewrite and its expansion (passes/). Its gradient
// is Ioffe and Szegedy, "Batch Normalization" (2015), section 3.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("epsilon", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}, {"weight", "f32[c]"}, {"bias", "f32[c]"}}));
  return std::vector{node.inputs[0], node.inputs[1], node.inputs[1]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double epsilon = attr_float(node.attrs, "epsilon");
  const Tensor& x = *inputs[0];
  const auto c = static_cast<size_t>(x.dim(3));
  const double count = static_cast<double>(x.elems()) / static_cast<double>(c);
  Tensor &y = outputs[0], &mean = outputs[1], &variance = outputs[2];
  for (size_t i = 0; i < x.data.size(); ++i) mean.data[i % c] += x.data[i] / count;
  for (size_t i = 0; i < x.data.size(); ++i) variance.data[i % c] += std::pow(x.data[i] - mean.data[i % c], 2) / count;
  for (size_t i = 0; i < x.data.size(); ++i) {
    const size_t k = i % c;
    const double scale = inputs[1]->data[k] / std::sqrt(variance.data[k] + epsilon);
    y.data[i] = scale * (x.data[i] - mean.data[k]) + inputs[2]->data[k];
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const ValueId x = values.inputs[0], mean = values.results[1], variance = values.results[2];
  const std::vector<ValueId> sums =
      builder.add(values.name + ".weight", "batch_norm2d_backward_reduce", {dys[0], x, mean, variance}, node.attrs);
  const ValueId dx = builder.add1(values.name, "batch_norm2d_backward_data",
                                  {dys[0], x, values.inputs[1], mean, variance, sums[0], sums[1]}, node.attrs);
  return {dx, sums[0], sums[1]};
}

}  // namespace

const OpDef ops::batch_norm2d_train = {"batch_norm2d_train", infer, reference, vjp, {.work = result_elems}};

}  // namespace convoke
