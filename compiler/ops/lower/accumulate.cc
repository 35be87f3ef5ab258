// accumulate: flag ≠ 0 ? g + dg : dg.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_accumulate(const NodeView& node, const LowerInputs& inputs) {
  const Func& flag = inputs.funcs[2];
  return elementwise_binary(node, inputs,
                            [&](const Expr& g, const Expr& dg) { return select(flag() != 0.0f, g + dg, dg); });
}

}  // namespace convoke
