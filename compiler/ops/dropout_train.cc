// dropout_train(x f32[n,…], random f32[]) {p, stream} -> as x: each element is dropped with probability p, the others
// are divided by 1−p. Element e of sample s stays where the first word of Philox4x32-10 (Salmon et al. 2011;
// runtime/core/philox.h) for counter (e, s, stream, 0) and key `random`, an integer, is at least p·2³². So the mask
// depends on nothing else, and the gradient is the same op on dy: the mask is made again, never stored.
#include "compiler/ops/dropout_train.h"

#include "compiler/ops/elementwise.h"
#include "runtime/core/philox.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("p", 0, 1), int_attr("stream", 0, kMaxSize)}));
  const bool fits = node.inputs.size() == 2 && node.inputs[0].dtype == DType::kF32 && node.inputs[0].has_batch() &&
                    node.inputs[1] == f32({});
  if (!fits) return invalid_argument("dropout_train needs an operand f32 with a batch and a key f32[]");
  return std::vector{node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Dropout dropout = as_dropout_train(node);
  const auto key = static_cast<uint32_t>(inputs[1]->data[0]);
  const int64_t per_sample = inputs[0]->elems() / inputs[0]->dim(0);
  for (int64_t i = 0; i < inputs[0]->elems(); ++i) {
    const auto e = static_cast<uint32_t>(i % per_sample), s = static_cast<uint32_t>(i / per_sample);
    const bool stays = core::philox({{e, s, dropout.stream, 0}}, key).word[0] >= dropout.threshold;
    outputs[0].data[i] = stays ? inputs[0]->data[i] * dropout.scale : 0.0;
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  return {builder.add1(values.name, "dropout_train", {dys[0], values.inputs[1]}, node.attrs), kNoValue};
}

}  // namespace

Dropout as_dropout_train(const NodeView& node) {
  const double p = attr_float(node.attrs, "p");
  // p = 1 drops all but one element in 2³², and that one is scaled by 0.
  return {.threshold = static_cast<uint32_t>(std::min(p * 0x1p32, 0x1p32 - 1)),
          .stream = static_cast<uint32_t>(attr_int(node.attrs, "stream")),
          .scale = p < 1 ? static_cast<float>(1 / (1 - p)) : 0.0f};
}

const OpDef ops::dropout_train = {"dropout_train", infer, reference, vjp, {.elementwise = true, .work = result_elems}};

}  // namespace convoke
