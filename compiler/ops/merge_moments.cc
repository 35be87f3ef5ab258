// merge_moments(first, sums, squares f32[n,h,1,c]) {pixels} -> (mean, variance f32[c]): channel_moments of what has
// rows of so many pixels, from its row_sums. With mean m and variance v of a row:
//   mean = Σ m/(n·h)
//   variance = Σ (v + (m − mean)²)/(n·h)
// Chan, Golub, LeVeque, "Algorithms for Computing the Sample Variance" (1983).
#include <cmath>

#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {int_attr("pixels", 1, kMaxSize)}));
  RETURN_IF_ERROR(
      expect_operands(node, {{"first", "f32[n,h,1,c]"}, {"sums", "f32[n,h,1,c]"}, {"squares", "f32[n,h,1,c]"}}));
  const Type channels = f32({node.inputs[0].dims[3]});
  return std::vector{channels, channels};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor &first = *inputs[0], &sums = *inputs[1], &squares = *inputs[2];
  const auto c = static_cast<size_t>(first.dim(3));
  const double rows = static_cast<double>(sums.data.size()) / static_cast<double>(c);
  const auto pixels = static_cast<double>(attr_int(node.attrs, "pixels"));
  Tensor &mean = outputs[0], &variance = outputs[1];
  const auto mean_of_row = [&](size_t i) { return first.data[i] + sums.data[i] / pixels; };
  for (size_t i = 0; i < sums.data.size(); ++i) mean.data[i % c] += mean_of_row(i) / rows;
  for (size_t i = 0; i < sums.data.size(); ++i) {
    const double inside = squares.data[i] / pixels - std::pow(sums.data[i] / pixels, 2);
    variance.data[i % c] += (inside + std::pow(mean_of_row(i) - mean.data[i % c], 2)) / rows;
  }
}

int64_t work(const NodeView& node) { return 2 * node.inputs[1].elems(); }

}  // namespace

const OpDef ops::merge_moments = {"merge_moments", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
