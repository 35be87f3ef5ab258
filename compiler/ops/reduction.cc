// Typed views of reductions (reduction.h).
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
  if (node.op == ops::merge_moments.name) {
    Reduction reduction = over_pixels(Reduction::kMergedMoments, node.inputs[0]);
    reduction.pixels = attr_int(node.attrs, "pixels");
    return reduction;
  }
  if (node.op == ops::global_avg_pool2d.name) return over_pixels(Reduction::kImageMean, node.inputs[0]);
  if (node.op == ops::sum_squares.name) return Reduction{.kind = Reduction::kSumSquares, .c = node.inputs[0].dims[0]};
  if (node.op != ops::batch_norm2d_backward_reduce.name) return std::nullopt;
  Reduction reduction = over_pixels(Reduction::kNormalizationGradient, node.inputs[0]);
  reduction.epsilon = attr_float(node.attrs, "epsilon");
  return reduction;
}

std::optional<RowReduction> as_row_reduction(const NodeView& node) {
  static constexpr std::pair<const OpDef*, RowReduction::Kind> kKinds[] = {
      {&ops::softmax, RowReduction::kSoftmax},
      {&ops::softmax_backward, RowReduction::kSoftmaxGradient},
      {&ops::cross_entropy, RowReduction::kCrossEntropy},
      {&ops::cross_entropy_backward, RowReduction::kCrossEntropyGradient},
      {&ops::accuracy, RowReduction::kAccuracy}};
  for (const auto& [op, kind] : kKinds) {
    if (node.op != op->name) continue;
    RowReduction rows{.kind = kind, .k = node.inputs[0].dims.back()};
    if (node.attrs.contains("label_smoothing")) rows.label_smoothing = attr_float(node.attrs, "label_smoothing");
    return rows;
  }
  return std::nullopt;
}

}  // namespace convoke
