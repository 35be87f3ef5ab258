// batch_norm2d_backward_data(dy, x f32[n,h,w,c], weight, mean, variance, dweight, dbias f32[c]) {epsilon} -> as x:
// dx = weight/√(variance + ε)·(dy − dbias/m − x̂·dweight/m), m = n·h·w.
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("epsilon", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"output gradient", "f32[n,h,w,c]"},
                                         {"input", "f32[n,h,w,c]"},
                                         {"weight", "f32[c]"},
                                         {"mean", "f32[c]"},
                                         {"variance", "f32[c]"},
                                         {"weight gradient", "f32[c]"},
                                         {"bias gradient", "f32[c]"}}));
  return std::vector{node.inputs[1]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double epsilon = attr_float(node.attrs, "epsilon");
  const Tensor& dy = *inputs[0];
  const auto c = static_cast<size_t>(dy.dim(3));
  const double m = static_cast<double>(dy.elems()) / static_cast<double>(c);
  for (size_t i = 0; i < dy.data.size(); ++i) {
    const size_t k = i % c;
    const double inverse = 1 / std::sqrt(inputs[4]->data[k] + epsilon);
    const double normalised = (inputs[1]->data[i] - inputs[3]->data[k]) * inverse;
    outputs[0].data[i] =
        inputs[2]->data[k] * inverse * (dy.data[i] - inputs[6]->data[k] / m - normalised * inputs[5]->data[k] / m);
  }
}

}  // namespace

const OpDef ops::batch_norm2d_backward_data = {
    "batch_norm2d_backward_data", infer, reference, nullptr, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
