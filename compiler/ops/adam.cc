// adam(parameters, gradients, m, v f32[p], learning_rate, gradient_scale, step f32[]) {beta1, beta2, epsilon,
// weight_decay, decoupled} -> (parameters, m, v): Kingma and Ba, "Adam" (2015), as PyTorch computes it; decoupled:
// AdamW (Loshchilov and Hutter, 2019).
#include <cmath>

#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("beta1", 0, 1), float_attr("beta2", 0, 1), float_attr("epsilon", 0, 1),
                                      float_attr("weight_decay", 0, 1e6), int_attr("decoupled", 0, 1)}));
  RETURN_IF_ERROR(expect_operands(node, {{"parameters", "f32[p]"},
                                         {"gradients", "f32[p]"},
                                         {"first moment", "f32[p]"},
                                         {"second moment", "f32[p]"},
                                         {"learning rate", "f32[]"},
                                         {"gradient scale", "f32[]"},
                                         {"step", "f32[]"}}));
  return std::vector{node.inputs[0], node.inputs[0], node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double beta1 = attr_float(node.attrs, "beta1"), beta2 = attr_float(node.attrs, "beta2");
  const double epsilon = attr_float(node.attrs, "epsilon"), decay = attr_float(node.attrs, "weight_decay");
  const bool decoupled = attr_int(node.attrs, "decoupled") != 0;
  const double rate = inputs[4]->data[0], scale = inputs[5]->data[0], step = inputs[6]->data[0];
  for (size_t i = 0; i < inputs[0]->data.size(); ++i) {
    double p = inputs[0]->data[i], g = scale * inputs[1]->data[i];
    if (decoupled) p -= rate * decay * p;
    if (!decoupled) g += decay * p;
    const double m = beta1 * inputs[2]->data[i] + (1 - beta1) * g;
    const double v = beta2 * inputs[3]->data[i] + (1 - beta2) * g * g;
    const double denominator = std::sqrt(v) / std::sqrt(1 - std::pow(beta2, step)) + epsilon;
    outputs[0].data[i] = p - rate / (1 - std::pow(beta1, step)) * m / denominator;
    outputs[1].data[i] = m;
    outputs[2].data[i] = v;
  }
}

}  // namespace

const OpDef ops::adam = {"adam", infer, reference, nullptr, {.elementwise = true, .work = [](const NodeView& node) {
                                                               return 8 * node.inputs[0].elems();
                                                             }}};

}  // namespace convoke
