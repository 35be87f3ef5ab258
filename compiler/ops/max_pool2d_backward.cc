// max_pool2d_backward(dy f32[n,oh,ow,c], index u8[n,oh,ow,c]) {dilation, input_size, kernel_size, padding, stride}
// -> f32[n,h,w,c]: the gradient of each window goes to the pixel that was its maximum.
#include "compiler/ops/pool2d.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Pool2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("dilation", 2, 1, kMaxAttr), ints_attr("input_size", 2, 1, kMaxSize),
                                      ints_attr("kernel_size", 2, 1, kMaxAttr), ints_attr("padding", 4, 0, kMaxAttr),
                                      ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,oh,ow,c]"}, {"index", "u8[n,oh,ow,c]"}}));
  const auto& size = attr_ints(node.attrs, "input_size");
  ASSIGN_OR_RETURN(Pool2d pool, check_pool2d(node.attrs, {size[0], size[1]}, node.inputs[0].dims[3]));
  RETURN_IF_ERROR(check_pool2d_gradient(pool, node.inputs[0]));
  return pool;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Pool2d pool, check(node));
  return std::vector{f32({kBatch, pool.in.h, pool.in.w, pool.c})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const auto &dy = inputs[0]->data, &place = inputs[1]->data;
  for_each_tap(*as_max_pool2d_backward(node), outputs[0].dim(0), [&](int64_t i, int64_t o, int64_t tap) {
    if (place[o] == static_cast<double>(tap)) outputs[0].data[i] += dy[o];
  });
}

int64_t work(const NodeView& node) { return as_max_pool2d_backward(node)->reads(); }

}  // namespace

std::optional<Pool2d> as_max_pool2d_backward(const NodeView& node) {
  if (node.op != ops::max_pool2d_backward.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::max_pool2d_backward = {"max_pool2d_backward", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
