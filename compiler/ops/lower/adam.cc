// adam: m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − η/(1 − β₁ᵗ)·m/(√v/√(1 − β₂ᵗ) + ε).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

std::vector<Func> lower_adam(const NodeView& node, const LowerInputs& inputs) {
  const auto beta1 = static_cast<float>(attr_float(node.attrs, "beta1"));
  const auto beta2 = static_cast<float>(attr_float(node.attrs, "beta2"));
  const auto epsilon = static_cast<float>(attr_float(node.attrs, "epsilon"));
  const auto decay = static_cast<float>(attr_float(node.attrs, "weight_decay"));
  const bool decoupled = attr_int(node.attrs, "decoupled") != 0;
  const auto& f = inputs.funcs;
  const Expr rate = f[4](), step = f[6]();
  Var i("i");
  Expr p = f[0](i), g = f[5]() * f[1](i);
  if (decoupled) p = p - rate * decay * p;
  if (!decoupled) g = g + decay * p;
  const Expr m = beta1 * f[2](i) + (1.0f - beta1) * g;
  const Expr v = beta2 * f[3](i) + (1.0f - beta2) * g * g;
  const Expr correction1 = 1.0f - pow(beta1, step), correction2 = sqrt(1.0f - pow(beta2, step));
  Func parameters("adam"), first("first_moment"), second("second_moment");
  parameters(i) = p - rate / correction1 * m / (sqrt(v) / correction2 + epsilon);
  first(i) = m;
  second(i) = v;
  return {parameters, first, second};
}

}  // namespace convoke
