// The Halide definition of each op, without schedule: what the op means, element by element. Elementwise definitions
// are pure and inlineable (templates use them as epilogues); an anchor's definition serves tests and the `small`
// template.
//
// Halide's dimensions are the logical ones reversed: an activation f32[n,h,w,c] is a Func over (c, x, y, n), a
// convolution weight OIHW over (kx, ky, ci, co), a linear weight over (k, o), a scalar over ().
#pragma once

#include <vector>

#include "Halide.h"
#include "compiler/ops/op.h"

namespace convoke {

struct LowerInputs {
  std::vector<Halide::Func> funcs;  // one an operand, defined over all integers it is read at (see bounds below)
  Halide::Expr batch;               // the n of this call; undefined when no operand and no result has a batch
};

// One Func a result. Reads operands inside their extents only.
std::vector<Halide::Func> lower(const NodeView& node, const LowerInputs& inputs);

Halide::Type halide_type(DType dtype);

}  // namespace convoke
