// What elementwise ops share: inference by the first operand's type, references element by element.
#pragma once

#include "compiler/ops/signature.h"

namespace convoke {

// No attributes; `operands` names the operands, f32 tensors of one type, which is the result's.
Result<std::vector<Type>> infer_elementwise(const NodeView& node, std::initializer_list<std::string_view> operands);

template <typename Function>
void map_unary(std::span<const Tensor* const> inputs, std::span<Tensor> outputs, Function function) {
  for (size_t i = 0; i < outputs[0].data.size(); ++i) outputs[0].data[i] = function(inputs[0]->data[i]);
}

template <typename Function>
void map_binary(std::span<const Tensor* const> inputs, std::span<Tensor> outputs, Function function) {
  for (size_t i = 0; i < outputs[0].data.size(); ++i) {
    outputs[0].data[i] = function(inputs[0]->data[i], inputs[1]->data[i]);
  }
}

// Elements of the result: the work of an elementwise op.
int64_t result_elems(const NodeView& node);

}  // namespace convoke
