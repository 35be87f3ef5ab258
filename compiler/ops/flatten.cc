// flatten(x f32[n,h,w,c]) -> f32[n,c·h·w], channel first as PyTorch's flatten of NCHW; of f32[n,k]: itself.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  const bool flat = node.inputs.size() == 1 && node.inputs[0].rank() == 2;
  RETURN_IF_ERROR(expect_operands(node, {{"input", flat ? "f32[n,k]" : "f32[n,h,w,c]"}}));
  return std::vector{f32({kBatch, node.inputs[0].elems()})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  if (x.dims.size() == 2) {
    outputs[0].data = x.data;
    return;
  }
  const int64_t pixels = x.dim(1) * x.dim(2), c = x.dim(3);
  for (int64_t i = 0; i < x.elems(); ++i) {
    const int64_t n = i / (pixels * c), pixel = i / c % pixels;
    outputs[0].data[n * pixels * c + i % c * pixels + pixel] = x.data[i];
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const auto& x = node.inputs[0].dims;
  if (x.size() == 2) return {dys[0]};
  return {builder.add1(values.name, "unflatten", {dys[0]}, {{"input_size", std::vector{x[1], x[2], x[3]}}})};
}

}  // namespace

const OpDef ops::flatten = {"flatten", infer, reference, vjp, {.work = result_elems}};

}  // namespace convoke
