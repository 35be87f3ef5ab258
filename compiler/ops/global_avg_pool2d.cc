// global_avg_pool2d(x f32[n,h,w,c]) -> f32[n,1,1,c]: the mean of each channel of each sample.
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}}));
  return std::vector{f32({kBatch, 1, 1, node.inputs[0].dims[3]})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  const int64_t pixels = x.dim(1) * x.dim(2), c = x.dim(3);
  for (int64_t i = 0; i < x.elems(); ++i) {
    outputs[0].data[i / (pixels * c) * c + i % c] += x.data[i] / static_cast<double>(pixels);
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const auto& x = node.inputs[0].dims;
  return {builder.add1(values.name, "global_avg_pool2d_backward", {dys[0]}, {{"input_size", std::vector{x[1], x[2]}}})};
}

int64_t work(const NodeView& node) { return node.inputs[0].elems(); }

}  // namespace

const OpDef ops::global_avg_pool2d = {"global_avg_pool2d", infer, reference, vjp, {.work = work}};

}  // namespace convoke
