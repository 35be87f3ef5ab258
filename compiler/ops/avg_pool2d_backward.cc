// avg_pool2d_backward(dy f32[n,oh,ow,c]) {count_include_pad, input_size, kernel_size, padding, stride} -> f32[n,h,w,c]:
// each pixel gets its share of the windows that cover it.
#include "compiler/ops/pool2d.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Pool2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {int_attr("count_include_pad", 0, 1), ints_attr("input_size", 2, 1, kMaxSize),
                                      ints_attr("kernel_size", 2, 1, kMaxAttr), ints_attr("padding", 4, 0, kMaxAttr),
                                      ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,oh,ow,c]"}}));
  const auto& size = attr_ints(node.attrs, "input_size");
  ASSIGN_OR_RETURN(Pool2d pool, check_pool2d(node.attrs, {size[0], size[1]}, node.inputs[0].dims[3]));
  RETURN_IF_ERROR(check_pool2d_gradient(pool, node.inputs[0]));
  pool.count_include_pad = attr_int(node.attrs, "count_include_pad") == 1;
  return pool;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Pool2d pool, check(node));
  return std::vector{f32({kBatch, pool.in.h, pool.in.w, pool.c})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Pool2d pool = *as_avg_pool2d_backward(node);
  const int64_t batch = outputs[0].dim(0);
  const std::vector<double> divisors = average_divisors(pool, batch);
  for_each_tap(pool, batch,
               [&](int64_t x, int64_t y, int64_t) { outputs[0].data[x] += inputs[0]->data[y] / divisors[y]; });
}

int64_t work(const NodeView& node) { return as_avg_pool2d_backward(node)->reads(); }

}  // namespace

std::optional<Pool2d> as_avg_pool2d_backward(const NodeView& node) {
  if (node.op != ops::avg_pool2d_backward.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::avg_pool2d_backward = {"avg_pool2d_backward", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
