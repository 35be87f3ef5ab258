// linear: y(o,n) = b(o) + Σ_k x(k,n)·w(k,o); over an image the sum runs over (c,x,y) with k = (c·h + y)·w + x.
#include "compiler/ops/linear.h"

#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_linear(const NodeView& node, const LowerInputs& inputs) {
  const Linear linear = *as_linear(node);
  const auto h = static_cast<int>(linear.in_size.h), w = static_cast<int>(linear.in_size.w);
  const Func &input = inputs.funcs[0], &weight = inputs.funcs[1];
  Var o("o"), n("n");
  Func out("linear");
  out(o, n) = linear.has_bias ? inputs.funcs[2](o) : Expr(0.0f);
  if (linear.is_image) {
    RDom r(0, w, 0, h, 0, static_cast<int>(linear.in_c));
    out(o, n) += input(r.z, r.x, r.y, n) * weight((r.z * h + r.y) * w + r.x, o);
  } else {
    RDom r(0, static_cast<int>(linear.in_c));
    out(o, n) += input(r, n) * weight(r, o);
  }
  return {out};
}

}  // namespace convoke
