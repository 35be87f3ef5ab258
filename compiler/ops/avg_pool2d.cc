// avg_pool2d(x f32[n,h,w,c]) {count_include_pad, kernel_size, padding, stride} -> f32[n,oh,ow,c]: the mean of each
// window, padding counted as zeros or not at all.
#include "compiler/ops/pool2d.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Pool2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {int_attr("count_include_pad", 0, 1), ints_attr("kernel_size", 2, 1, kMaxAttr),
                                      ints_attr("padding", 4, 0, kMaxAttr), ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}}));
  const auto& x = node.inputs[0].dims;
  ASSIGN_OR_RETURN(Pool2d pool, check_pool2d(node.attrs, {x[1], x[2]}, x[3]));
  pool.count_include_pad = attr_int(node.attrs, "count_include_pad") == 1;
  return pool;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Pool2d pool, check(node));
  return std::vector{f32({kBatch, pool.out.h, pool.out.w, pool.c})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Pool2d pool = *as_avg_pool2d(node);
  const int64_t batch = outputs[0].dim(0);
  const std::vector<double> divisors = average_divisors(pool, batch);
  for_each_tap(pool, batch,
               [&](int64_t x, int64_t y, int64_t) { outputs[0].data[y] += inputs[0]->data[x] / divisors[y]; });
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const Extent2d in = as_avg_pool2d(node)->in;
  Attrs attrs = node.attrs;
  attrs["input_size"] = std::vector{in.h, in.w};
  return {builder.add1(values.name, "avg_pool2d_backward", {dys[0]}, attrs)};
}

int64_t work(const NodeView& node) { return as_avg_pool2d(node)->reads(); }

}  // namespace

std::optional<Pool2d> as_avg_pool2d(const NodeView& node) {
  if (node.op != ops::avg_pool2d.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::avg_pool2d = {"avg_pool2d", infer, reference, vjp, {.work = work}};

}  // namespace convoke
