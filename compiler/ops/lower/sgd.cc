// sgd: g ← s·g + λp; v ← μv + g; p ← p − η·(nesterov ? g + μv : v).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

std::vector<Func> lower_sgd(const NodeView& node, const LowerInputs& inputs) {
  const auto mu = static_cast<float>(attr_float(node.attrs, "momentum"));
  const auto decay = static_cast<float>(attr_float(node.attrs, "weight_decay"));
  const bool nesterov = attr_int(node.attrs, "nesterov") != 0;
  const auto& f = inputs.funcs;
  Var i("i");
  const Expr g = f[4]() * f[1](i) + decay * f[0](i);
  const Expr v = mu * f[2](i) + g;
  Func parameters("sgd"), buffer("buffer");
  parameters(i) = f[0](i) - f[3]() * (nesterov ? g + mu * v : v);
  buffer(i) = v;
  return {parameters, buffer};
}

}  // namespace convoke
