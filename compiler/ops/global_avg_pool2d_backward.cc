// global_avg_pool2d_backward(dy f32[n,1,1,c]) {input_size} -> f32[n,h,w,c]: dy / (h·w) at every pixel.
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("input_size", 2, 1, kMaxSize)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,1,1,c]"}}));
  const auto& size = attr_ints(node.attrs, "input_size");
  return std::vector{f32({kBatch, size[0], size[1], node.inputs[0].dims[3]})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  Tensor& dx = outputs[0];
  const int64_t pixels = dx.dim(1) * dx.dim(2), c = dx.dim(3);
  for (int64_t i = 0; i < dx.elems(); ++i) {
    dx.data[i] = inputs[0]->data[i / (pixels * c) * c + i % c] / static_cast<double>(pixels);
  }
}

int64_t work(const NodeView& node) { return node.results[0].elems(); }

}  // namespace

const OpDef ops::global_avg_pool2d_backward = {"global_avg_pool2d_backward", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
