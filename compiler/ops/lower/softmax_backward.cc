// softmax_backward: y·(dy − Σ dy·y), by rows.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_softmax_backward(const NodeView& node, const LowerInputs& inputs) {
  const std::vector<Var> vars = make_vars(node.results[0]), rows(vars.begin() + 1, vars.end());
  RDom r(0, static_cast<int>(node.inputs[0].dims.back()));
  std::vector<Expr> at(vars.begin(), vars.end());
  std::vector<Expr> along = at;
  along[0] = r;
  const Func &dy = inputs.funcs[0], &y = inputs.funcs[1];
  Func dot("dot"), dx("softmax_backward");
  dot(rows) = 0.0f;
  dot(rows) += dy(along) * y(along);
  dx(vars) = y(at) * (dy(at) - dot(rows));
  return {dx};
}

}  // namespace convoke
