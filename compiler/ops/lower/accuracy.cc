// accuracy: the share of rows whose first largest logit is the label's.
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Tuple, Halide::Var;

std::vector<Func> lower_accuracy(const NodeView& node, const LowerInputs& inputs) {
  const Func &x = inputs.funcs[0], &labels = inputs.funcs[1];
  Var n("n");
  RDom r(0, static_cast<int>(node.inputs[0].dims[1]));
  Func best("best"), accuracy("accuracy");
  best(n) = Tuple(x(0, n), 0);
  const Expr larger = x(r, n) > best(n)[0];
  best(n) = Tuple(select(larger, x(r, n), best(n)[0]), select(larger, r, best(n)[1]));
  RDom rows(0, inputs.batch);
  accuracy() = 0.0f;
  accuracy() += select(best(rows)[1] == labels(rows), 1.0f, 0.0f) / Halide::cast<float>(inputs.batch);
  return {accuracy};
}

}  // namespace convoke
