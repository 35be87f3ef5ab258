// conv2d(x f32[n,h,w,ci], w f32[co,ci/g,kh,kw][, b f32[co]]) {dilation, groups, padding, stride} -> f32[n,oh,ow,co]:
//   y(co,ox,oy) = b(co) + Σ_{ci,ky,kx} x(ci, ox·sx − left + kx·dx, oy·sy − top + ky·dy) · w(kx,ky,ci,co)
// and what its gradients share with it (conv2d.h).
#include "compiler/ops/conv2d.h"

#include <fmt/format.h>

#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Conv2d> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("dilation", 2, 1, kMaxAttr), int_attr("groups", 1, kMaxSize),
                                      ints_attr("padding", 4, 0, kMaxAttr), ints_attr("stride", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}, {"weight", "f32[o,i,kh,kw]"}, {"bias", "f32[o]"}},
                                  /*optional=*/1));
  const auto& x = node.inputs[0].dims;
  ASSIGN_OR_RETURN(Conv2d conv, check_conv2d(node.attrs, {x[1], x[2]}, x[3], node.inputs[1].dims));
  conv.has_bias = node.inputs.size() == 3;
  return conv;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Conv2d conv, check(node));
  return std::vector{f32({kBatch, conv.out.h, conv.out.w, conv.out_c})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Conv2d conv = *as_conv2d(node);
  const auto &x = inputs[0]->data, &w = inputs[1]->data;
  auto& y = outputs[0].data;
  if (conv.has_bias) {
    const auto& bias = inputs[2]->data;
    for (size_t i = 0; i < y.size(); ++i) y[i] = bias[i % bias.size()];
  }
  for_each_product(conv, outputs[0].dim(0), [&](int64_t i, int64_t j, int64_t k) { y[k] += x[i] * w[j]; });
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const Conv2d conv = *as_conv2d(node);
  const ValueId x = values.inputs[0], w = values.inputs[1], dy = dys[0];
  Attrs data_attrs = node.attrs, weight_attrs = node.attrs;
  data_attrs["input_size"] = std::vector{conv.in.h, conv.in.w};
  weight_attrs["kernel_size"] = std::vector{conv.window.kernel.h, conv.window.kernel.w};
  std::vector<ValueId> result = {
      builder.add1(values.name, "conv2d_backward_data", {dy, w}, data_attrs),
      builder.add1(values.name + ".weight", "conv2d_backward_weights", {dy, x}, weight_attrs)};
  if (conv.has_bias) result.push_back(builder.add1(values.name + ".bias", "channel_sum", {dy}));
  return result;
}

int64_t work(const NodeView& node) { return as_conv2d(node)->multiply_adds(); }

}  // namespace

Result<Conv2d> check_conv2d(const Attrs& attrs, Extent2d in, int64_t in_c, std::span<const int64_t> weight_dims) {
  Conv2d conv{.in = in, .in_c = in_c, .out_c = weight_dims[0], .groups = attr_int(attrs, "groups")};
  conv.window = window_of(attrs, {weight_dims[2], weight_dims[3]});
  if (conv.in_c % conv.groups != 0) {
    return invalid_argument(fmt::format("{} groups do not divide {} input channels", conv.groups, conv.in_c));
  }
  if (conv.out_c % conv.groups != 0) {
    return invalid_argument(fmt::format("{} groups do not divide {} output channels", conv.groups, conv.out_c));
  }
  if (weight_dims[1] != conv.group_in_c()) {
    return invalid_argument(fmt::format("weight has {} input channels, expected {} ({} channels in {} groups)",
                                        weight_dims[1], conv.group_in_c(), conv.in_c, conv.groups));
  }
  ASSIGN_OR_RETURN(conv.out, window_positions(conv.window, conv.in));
  return conv;
}

Status check_conv2d_gradient(const Conv2d& conv, const Type& dy) {
  const Type expected = f32({kBatch, conv.out.h, conv.out.w, conv.out_c});
  if (dy == expected) return ok_status();
  return invalid_argument(fmt::format("gradient is {}, expected {}", to_string(dy), to_string(expected)));
}

std::optional<Conv2d> as_conv2d(const NodeView& node) {
  if (node.op != ops::conv2d.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::conv2d = {"conv2d", infer, reference, vjp, {.work = work}};

}  // namespace convoke
