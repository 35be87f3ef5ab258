// conv2d_backward_data(dy f32[n,oh,ow,co], w f32[co,ci/g,kh,kw]) {dilation, groups, input_size, padding, stride}
// -> f32[n,h,w,ci]: dx += dy·w over the products of the forward convolution.
#include "compiler/ops/conv2d.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Conv2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("dilation", 2, 1, kMaxAttr), int_attr("groups", 1, kMaxSize),
                                      ints_attr("input_size", 2, 1, kMaxSize), ints_attr("padding", 4, 0, kMaxAttr),
                                      ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,oh,ow,o]"}, {"weight", "f32[o,i,kh,kw]"}}));
  const auto& size = attr_ints(node.attrs, "input_size");
  const auto& w = node.inputs[1].dims;
  const int64_t in_c = w[1] * attr_int(node.attrs, "groups");
  ASSIGN_OR_RETURN(Conv2d conv, check_conv2d(node.attrs, {size[0], size[1]}, in_c, w));
  RETURN_IF_ERROR(check_conv2d_gradient(conv, node.inputs[0]));
  return conv;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Conv2d conv, check(node));
  return std::vector{f32({kBatch, conv.in.h, conv.in.w, conv.in_c})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const auto &dy = inputs[0]->data, &w = inputs[1]->data;
  auto& dx = outputs[0].data;
  for_each_product(*as_conv2d_backward_data(node), outputs[0].dim(0),
                   [&](int64_t i, int64_t j, int64_t k) { dx[i] += dy[k] * w[j]; });
}

int64_t work(const NodeView& node) { return as_conv2d_backward_data(node)->multiply_adds(); }

}  // namespace

std::optional<Conv2d> as_conv2d_backward_data(const NodeView& node) {
  if (node.op != ops::conv2d_backward_data.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::conv2d_backward_data = {"conv2d_backward_data", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
