// sigmoid: with e = exp(−|x|), 1/(1+e) for x ≥ 0 and e/(1+e) below. Neither overflows, and small results keep their
// digits.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_sigmoid(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_unary(node, inputs, [](const Expr& x) {
    const Expr e = exp(-abs(x));
    return select(x >= 0, 1.0f, e) / (1.0f + e);
  });
}

}  // namespace convoke
