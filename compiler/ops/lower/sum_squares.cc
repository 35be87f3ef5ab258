// sum_squares: chunks of fixed length, then their sum, so that the result depends on nothing but the operand and chains
// stay short.
#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

std::vector<Func> lower_sum_squares(const NodeView& node, const LowerInputs& inputs) {
  constexpr int kChunk = 4096;
  const auto elems = static_cast<int>(node.inputs[0].dims[0]);
  const Func& x = inputs.funcs[0];
  Var chunk("chunk");
  RDom i(0, std::min(kChunk, elems)), chunks(0, (elems + kChunk - 1) / kChunk);
  const Expr at = chunk * kChunk + i;
  const Expr element = select(at < elems, x(min(at, elems - 1)), 0.0f);
  Func partial("sum_squares_partial"), sum("sum_squares");
  partial(chunk) += element * element;
  sum() += partial(chunks);
  return {sum};
}

}  // namespace convoke
