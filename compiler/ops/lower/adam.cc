// adam: m = β1·m + (1−β1)·g; v = β2·v + (1−β2)·g²; p − η/(1−β1^t)·m / (√v/√(1−β2^t) + ε). Decay as part of g (Adam) or
// of p (AdamW). The bias corrections are Funcs of their own: they depend on the step alone.
#include <cmath>

#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

namespace {

// 1 − β^t = −(e^a − 1), a = t·ln β. Near 0 by the series, where the difference would cancel: β2 = 0.999 starts at 1e-3.
Func bias_correction(const std::string& name, double beta, const Expr& step) {
  const Expr a = step * static_cast<float>(std::log(beta));
  Expr series = 1.0f;  // (e^a − 1)/a = 1 + a/2·(1 + a/3·(1 + …)), to a^8/9!
  for (int k = 9; k >= 2; --k) series = 1.0f + a * (1.0f / static_cast<float>(k)) * series;
  Func correction(name);
  correction() = beta == 0 ? Expr(1.0f) : select(a > -0.5f, -a * series, 1.0f - exp(a));
  return correction;
}

}  // namespace

std::vector<Func> lower_adam(const NodeView& node, const LowerInputs& inputs) {
  const double beta1 = attr_float(node.attrs, "beta1"), beta2 = attr_float(node.attrs, "beta2");
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto decay = static_cast<float>(attr_float(node.attrs, "weight_decay"));
  const bool decoupled = attr_int(node.attrs, "decoupled") != 0;
  const Expr rate = inputs.funcs[4](), scale = inputs.funcs[5](), step = inputs.funcs[6]();
  const Func correction1 = bias_correction("adam_correction1", beta1, step);
  const Func correction2 = bias_correction("adam_correction2", beta2, step);
  Var i("i");
  Func parameters("adam_parameters"), first("adam_first"), second("adam_second");
  const Expr p = inputs.funcs[0](i), unscaled = scale * inputs.funcs[1](i);
  const Expr g = decoupled ? unscaled : unscaled + decay * p;
  first(i) = static_cast<float>(beta1) * inputs.funcs[2](i) + static_cast<float>(1 - beta1) * g;
  second(i) = static_cast<float>(beta2) * inputs.funcs[3](i) + static_cast<float>(1 - beta2) * g * g;
  const Expr kept = decoupled ? p - rate * decay * p : p;
  parameters(i) = kept - rate / correction1() * first(i) / (sqrt(second(i)) / sqrt(correction2()) + epsilon);
  return {parameters, first, second};
}

}  // namespace convoke
