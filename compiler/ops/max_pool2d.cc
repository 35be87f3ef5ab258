// max_pool2d(x f32[n,h,w,c]) {dilation, kernel_size, padding, stride} -> (f32[n,oh,ow,c], u8[n,oh,ow,c]): the maximum
// of each window and its place ky·kw + kx, the first in row-major order when several are equal. Padding never wins.
#include <fmt/format.h>

#include "compiler/ops/pool2d.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

constexpr int64_t kMaxArea = 255;  // the place is 8 bits

Result<Pool2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("dilation", 2, 1, kMaxAttr), ints_attr("kernel_size", 2, 1, kMaxAttr),
                                      ints_attr("padding", 4, 0, kMaxAttr), ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}}));
  const auto& x = node.inputs[0].dims;
  ASSIGN_OR_RETURN(Pool2d pool, check_pool2d(node.attrs, {x[1], x[2]}, x[3]));
  if (const Extent2d kernel = pool.window.kernel; kernel.area() > kMaxArea) {
    return invalid_argument(
        fmt::format("kernel {} has {} taps, expected at most {}", to_string(kernel), kernel.area(), kMaxArea));
  }
  return pool;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Pool2d pool, check(node));
  const std::vector<int64_t> dims = {kBatch, pool.out.h, pool.out.w, pool.c};
  return std::vector{f32(dims), u8(dims)};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Pool2d pool = *as_max_pool2d(node);
  const auto& x = inputs[0]->data;
  auto &maximum = outputs[0].data, &place = outputs[1].data;
  std::vector<bool> seen(maximum.size());
  for_each_tap(pool, outputs[0].dim(0), [&](int64_t i, int64_t o, int64_t tap) {
    if (seen[o] && x[i] <= maximum[o]) return;
    seen[o] = true;
    maximum[o] = x[i];
    place[o] = static_cast<double>(tap);
  });
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  if (dys[0] == kNoValue) return {kNoValue};
  const Extent2d in = as_max_pool2d(node)->in;
  Attrs attrs = node.attrs;
  attrs["input_size"] = std::vector{in.h, in.w};
  return {builder.add1(values.name, "max_pool2d_backward", {dys[0], values.results[1]}, attrs)};
}

int64_t work(const NodeView& node) { return as_max_pool2d(node)->reads(); }

}  // namespace

std::optional<Pool2d> as_max_pool2d(const NodeView& node) {
  if (node.op != ops::max_pool2d.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::max_pool2d = {"max_pool2d", infer, reference, vjp, {.work = work}};

}  // namespace convoke
