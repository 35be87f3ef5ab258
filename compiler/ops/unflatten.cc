// unflatten(y f32[n,k]) {input_size=[h,w,c]} -> f32[n,h,w,c]: the inverse of flatten.
#include "compiler/ops/elementwise.h"
#include "runtime/base/checked.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("input_size", 3, 1, kMaxSize)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,k]"}}));
  const auto& size = attr_ints(node.attrs, "input_size");
  const auto elems = checked_product(size);
  if (!elems || *elems != node.inputs[0].dims[1]) {
    return invalid_argument("input is " + to_string(node.inputs[0]) + ", which input_size does not fill");
  }
  return std::vector{f32({kBatch, size[0], size[1], size[2]})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  Tensor& x = outputs[0];
  const int64_t pixels = x.dim(1) * x.dim(2), c = x.dim(3);
  for (int64_t i = 0; i < x.elems(); ++i) {
    const int64_t n = i / (pixels * c), pixel = i / c % pixels;
    x.data[i] = inputs[0]->data[n * pixels * c + i % c * pixels + pixel];
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView&, const NodeValues& values, std::span<const ValueId> dys) {
  return {builder.add1(values.name, "flatten", {dys[0]})};
}

}  // namespace

const OpDef ops::unflatten = {"unflatten", infer, reference, vjp, {.work = result_elems}};

}  // namespace convoke
