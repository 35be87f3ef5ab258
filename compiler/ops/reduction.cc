// Typed view of reductions (reduction.h).
#include "compiler/ops/reduction.h"

namespace convoke {
namespace {

Reduction over_pixels(Reduction::Kind kind, const Type& x) {
  Reduction reduction{.kind = kind, .c = x.dims.back()};
  if (x.rank() == 4) {
    reduction.h = x.dims[1];
    reduction.w = x.dims[2];
  }
  return reduction;
}

}  // namespace

std::optional<Reduction> as_reduction(const NodeView& node) {
  if (node.op == ops::channel_sum.name) return over_pixels(Reduction::kSum, node.inputs[0]);
  if (node.op == ops::channel_moments.name) return over_pixels(Reduction::kMoments, node.inputs[0]);
  if (node.op == ops::sum_squares.name) return Reduction{.kind = Reduction::kSumSquares, .c = node.inputs[0].dims[0]};
  if (node.op != ops::batch_norm2d_backward_reduce.name) return std::nullopt;
  Reduction reduction = over_pixels(Reduction::kNormalizationGradient, node.inputs[0]);
  reduction.epsilon = attr_float(node.attrs, "epsilon");
  return reduction;
}

}  // namespace convoke
