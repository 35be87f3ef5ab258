// sgd(parameters, gradients, buffer f32[p], learning_rate, gradient_scale f32[]) {momentum, nesterov, weight_decay} ->
// (parameters, buffer), PyTorch's SGD: g ← s·g + λp; v ← μv + g; p ← p − η·(nesterov ? g + μv : v).
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(
      node, {float_attr("momentum", 0, 1), int_attr("nesterov", 0, 1), float_attr("weight_decay", 0, 1e6)}));
  RETURN_IF_ERROR(expect_operands(node, {{"parameters", "f32[p]"},
                                         {"gradients", "f32[p]"},
                                         {"buffer", "f32[p]"},
                                         {"learning rate", "f32[]"},
                                         {"gradient scale", "f32[]"}}));
  return std::vector{node.inputs[0], node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double mu = attr_float(node.attrs, "momentum"), decay = attr_float(node.attrs, "weight_decay");
  const bool nesterov = attr_int(node.attrs, "nesterov") != 0;
  const double rate = inputs[3]->data[0], scale = inputs[4]->data[0];
  for (size_t i = 0; i < inputs[0]->data.size(); ++i) {
    const double p = inputs[0]->data[i], g = scale * inputs[1]->data[i] + decay * p;
    const double v = mu * inputs[2]->data[i] + g;
    outputs[0].data[i] = p - rate * (nesterov ? g + mu * v : v);
    outputs[1].data[i] = v;
  }
}

}  // namespace

const OpDef ops::sgd = {"sgd", infer, reference, nullptr, {.elementwise = true, .work = [](const NodeView& node) {
                                                             return 3 * node.inputs[0].elems();
                                                           }}};

}  // namespace convoke
