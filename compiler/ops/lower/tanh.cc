// tanh: a polynomial near zero and ±(1 − 2/(e^(2|x|) + 1)) elsewhere (the split and the coefficients of Moshier's
// Cephes library, tanhf). It vectorises, where libm's tanh is called for each element.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_tanh(const NodeView& node, const LowerInputs& inputs) {
  return elementwise_unary(node, inputs, [](const Expr& x) {
    constexpr float kCoefficients[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                                       -3.33332819422e-1f};
    Expr sum = kCoefficients[0];
    for (int i = 1; i < 5; ++i) sum = sum * (x * x) + kCoefficients[i];
    const Expr magnitude = 1.0f - 2.0f / (exp(2.0f * abs(x)) + 1.0f);
    return select(abs(x) < 0.625f, x + x * (x * x) * sum, x < 0.0f, -magnitude, magnitude);
  });
}

}  // namespace convoke
