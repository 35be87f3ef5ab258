// conv2d_backward_weights(dy f32[n,oh,ow,co], x f32[n,h,w,ci]) {dilation, groups, kernel_size, padding, stride}
// -> f32[co,ci/g,kh,kw]: dw += dy·x over the products of the forward convolution, summed over the batch.
#include "compiler/ops/conv2d.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Conv2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("dilation", 2, 1, kMaxAttr), int_attr("groups", 1, kMaxSize),
                                      ints_attr("kernel_size", 2, 1, kMaxSize), ints_attr("padding", 4, 0, kMaxAttr),
                                      ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,oh,ow,o]"}, {"input", "f32[n,h,w,c]"}}));
  const auto& x = node.inputs[1].dims;
  const auto& kernel = attr_ints(node.attrs, "kernel_size");
  const std::vector weight = {node.inputs[0].dims[3], x[3] / attr_int(node.attrs, "groups"), kernel[0], kernel[1]};
  ASSIGN_OR_RETURN(Conv2d conv, check_conv2d(node.attrs, {x[1], x[2]}, x[3], weight));
  RETURN_IF_ERROR(check_conv2d_gradient(conv, node.inputs[0]));
  return conv;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Conv2d conv, check(node));
  return std::vector{f32({conv.out_c, conv.group_in_c(), conv.window.kernel.h, conv.window.kernel.w})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const auto &dy = inputs[0]->data, &x = inputs[1]->data;
  auto& dw = outputs[0].data;
  for_each_product(*as_conv2d_backward_weights(node), inputs[0]->dim(0),
                   [&](int64_t i, int64_t j, int64_t k) { dw[j] += dy[k] * x[i]; });
}

int64_t work(const NodeView& node) { return as_conv2d_backward_weights(node)->multiply_adds(); }

}  // namespace

std::optional<Conv2d> as_conv2d_backward_weights(const NodeView& node) {
  if (node.op != ops::conv2d_backward_weights.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::conv2d_backward_weights = {"conv2d_backward_weights", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
