// linear(x f32[n,k] or f32[n,h,w,c], w f32[o,k][, b f32[o]]) -> f32[n,o]: y(o) = b(o) + Σ_k x(k)·w(k,o), an image read
// channel first (linear.h).
#include "compiler/ops/linear.h"

#include <fmt/format.h>

#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Linear> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  const bool is_image = !node.inputs.empty() && node.inputs[0].rank() == 4;
  RETURN_IF_ERROR(expect_operands(
      node, {{"input", is_image ? "f32[n,h,w,c]" : "f32[n,k]"}, {"weight", "f32[o,i]"}, {"bias", "f32[o]"}},
      /*optional=*/1));
  Linear linear = linear_of_input(node.inputs[0]);
  const auto& w = node.inputs[1].dims;
  if (w[1] != linear.in()) {
    return invalid_argument(fmt::format("weight has {} input features, expected {} (input {})", w[1], linear.in(),
                                        to_string(node.inputs[0])));
  }
  linear.out = w[0];
  linear.has_bias = node.inputs.size() == 3;
  return linear;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Linear linear, check(node));
  return std::vector{f32({kBatch, linear.out})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Linear linear = *as_linear(node);
  for (int64_t n = 0; n < outputs[0].dim(0); ++n) {
    const double* x = &inputs[0]->data[static_cast<size_t>(n * linear.in())];
    for (int64_t o = 0; o < linear.out; ++o) {
      const double* w = &inputs[1]->data[static_cast<size_t>(o * linear.in())];
      double sum = linear.has_bias ? inputs[2]->data[static_cast<size_t>(o)] : 0;
      for (int64_t i = 0; i < linear.in(); ++i) sum += x[i] * w[linear.feature(i)];
      outputs[0].data[static_cast<size_t>(n * linear.out + o)] = sum;
    }
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const Linear linear = *as_linear(node);
  const ValueId x = values.inputs[0], w = values.inputs[1], dy = dys[0];
  std::vector<int64_t> input_size;
  if (linear.is_image) input_size = {linear.in_size.h, linear.in_size.w, linear.in_c};
  std::vector<ValueId> result = {
      builder.add1(values.name, "linear_backward_data", {dy, w}, {{"input_size", input_size}}),
      builder.add1(values.name + ".weight", "linear_backward_weights", {dy, x})};
  if (linear.has_bias) result.push_back(builder.add1(values.name + ".bias", "channel_sum", {dy}));
  return result;
}

int64_t work(const NodeView& node) { return as_linear(node)->multiply_adds(); }

}  // namespace

Linear linear_of_input(const Type& input) {
  const auto& dims = input.dims;
  if (input.rank() == 2) return {.in_c = dims[1]};
  return {.is_image = true, .in_size = {dims[1], dims[2]}, .in_c = dims[3]};
}

std::optional<Linear> as_linear(const NodeView& node) {
  if (node.op != ops::linear.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::linear = {"linear", infer, reference, vjp, {.work = work}};

}  // namespace convoke
