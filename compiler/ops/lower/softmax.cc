// softmax: e^(x − max) over its sum, by rows.
#include <limits>

#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_softmax(const NodeView& node, const LowerInputs& inputs) {
  const auto k = static_cast<int>(node.inputs[0].dims.back());
  const std::vector<Var> vars = make_vars(node.results[0]), rows(vars.begin() + 1, vars.end());
  RDom r(0, k);
  std::vector<Expr> at(vars.begin(), vars.end());
  std::vector<Expr> along = at;
  along[0] = r;
  const Func& x = inputs.funcs[0];
  Func most("most"), power("power"), sum("sum"), y("softmax");
  most(rows) = std::numeric_limits<float>::lowest();
  most(rows) = max(most(rows), x(along));
  power(vars) = exp(x(at) - most(rows));
  sum(rows) = 0.0f;
  sum(rows) += power(along);
  y(vars) = power(at) / sum(rows);
  return {y};
}

}  // namespace convoke
