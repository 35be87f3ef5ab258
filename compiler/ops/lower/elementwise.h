// What elementwise definitions share: one Func over the result's dimensions, element by element.
#pragma once

#include "compiler/ops/lower/lower.h"

namespace convoke {

using Place = std::vector<Halide::Expr>;  // of an element, innermost coordinate first

std::vector<Halide::Var> make_vars(const Type& type);

template <typename Function>
std::vector<Halide::Func> elementwise(const NodeView& node, Function function) {
  const std::vector<Halide::Var> vars = make_vars(node.results[0]);
  Halide::Func func(std::string(node.op) + "_value");  // a Func named tanh would hide libm's function
  func(vars) = function(Place(vars.begin(), vars.end()));
  return {func};
}

template <typename Function>
std::vector<Halide::Func> elementwise_unary(const NodeView& node, const LowerInputs& inputs, Function function) {
  return elementwise(node, [&](const Place& at) { return function(inputs.funcs[0](at)); });
}

template <typename Function>
std::vector<Halide::Func> elementwise_binary(const NodeView& node, const LowerInputs& inputs, Function function) {
  return elementwise(node, [&](const Place& at) { return function(inputs.funcs[0](at), inputs.funcs[1](at)); });
}

}  // namespace convoke
