// linear_backward_weights(dy f32[n,o], x f32[n,k] or f32[n,h,w,c]) -> f32[o,k]: dw(k,o) = Σ_n dy(o,n)·x(k,n).
#include "compiler/ops/linear.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<Linear> check(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  const bool is_image = node.inputs.size() == 2 && node.inputs[1].rank() == 4;
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,o]"}, {"input", is_image ? "f32[n,h,w,c]" : "f32[n,k]"}}));
  Linear linear = linear_of_input(node.inputs[1]);
  linear.out = node.inputs[0].dims[1];
  return linear;
}

Result<std::vector<Type>> infer(const NodeView& node) {
  ASSIGN_OR_RETURN(Linear linear, check(node));
  return std::vector{f32({linear.out, linear.in()})};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Linear linear = *as_linear_backward_weights(node);
  for (int64_t n = 0; n < inputs[0]->dim(0); ++n) {
    const double* dy = &inputs[0]->data[static_cast<size_t>(n * linear.out)];
    const double* x = &inputs[1]->data[static_cast<size_t>(n * linear.in())];
    for (int64_t o = 0; o < linear.out; ++o) {
      double* dw = &outputs[0].data[static_cast<size_t>(o * linear.in())];
      for (int64_t i = 0; i < linear.in(); ++i) dw[linear.feature(i)] += dy[o] * x[i];
    }
  }
}

int64_t work(const NodeView& node) { return as_linear_backward_weights(node)->multiply_adds(); }

}  // namespace

std::optional<Linear> as_linear_backward_weights(const NodeView& node) {
  if (node.op != ops::linear_backward_weights.name) return std::nullopt;
  return check(node).value();
}

const OpDef ops::linear_backward_weights = {"linear_backward_weights", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
