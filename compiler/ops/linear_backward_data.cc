// linear_backward_data(dy f32[n,o], w f32[o,k]) {input_size=[] or [h,w,c]} -> f32[n,k] or f32[n,h,w,c]:
// dx(k) = Σ_o dy(o)·w(k,o).
#include <fmt/format.h>

#include "compiler/ops/linear.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Linear> check(const NodeView& node) {
  const auto attr = node.attrs.find("input_size");
  const auto* given = attr == node.attrs.end() ? nullptr : std::get_if<std::vector<int64_t>>(&attr->second);
  const bool is_flat = given != nullptr && given->empty();
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("input_size", is_flat ? 0 : 3, 1, kMaxSize)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,o]"}, {"weight", "f32[o,k]"}}));
  const auto& w = node.inputs[1].dims;
  const Type input = is_flat ? f32({kBatch, w[1]}) : f32({kBatch, (*given)[0], (*given)[1], (*given)[2]});
  Linear linear = linear_of_input(input);
  // Divisions, not the product: it may overflow.
  if (w[1] % linear.in_c != 0 || w[1] / linear.in_c % linear.in_size.h != 0 ||
      w[1] / linear.in_c / linear.in_size.h != linear.in_size.w) {
    return invalid_argument(fmt::format("weight has {} input features, which is no input {}", w[1], to_string(input)));
  }
  linear.out = w[0];
  return linear;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Linear linear, check(node));
  if (!linear.is_image) return std::vector{f32({kBatch, linear.in_c})};
  return std::vector{f32({kBatch, linear.in_size.h, linear.in_size.w, linear.in_c})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Linear linear = *as_linear_backward_data(node);
  for (int64_t n = 0; n < outputs[0].dim(0); ++n) {
    const double* dy = &inputs[0]->data[static_cast<size_t>(n * linear.out)];
    double* dx = &outputs[0].data[static_cast<size_t>(n * linear.in())];
    for (int64_t o = 0; o < linear.out; ++o) {
      const double* w = &inputs[1]->data[static_cast<size_t>(o * linear.in())];
      for (int64_t i = 0; i < linear.in(); ++i) dx[i] += dy[o] * w[linear.feature(i)];
    }
  }
}

int64_t work(const NodeView& node) { return as_linear_backward_data(node)->multiply_adds(); }

}  // namespace

std::optional<Linear> as_linear_backward_data(const NodeView& node) {
  if (node.op != ops::linear_backward_data.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::linear_backward_data = {"linear_backward_data", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
