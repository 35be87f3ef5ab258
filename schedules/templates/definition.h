// The anchor by the definition of its op (compiler/ops/lower): for templates without a form of their own.
#pragma once

#include "schedules/templates/body.h"

namespace convoke {

// Sets the anchor, if there is one, to its definition.
void lower_anchor(Body& body);

// The Funcs that accumulate among those that `outputs` read; all others are inlined.
std::vector<Halide::Func> reductions(const std::vector<Halide::Func>& outputs);

// Whether nothing accumulates: each output element is one expression of operands.
bool is_pure(const Kernel& kernel);

}  // namespace convoke
