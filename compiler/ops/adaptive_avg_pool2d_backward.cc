// adaptive_avg_pool2d_backward(dy f32[n,oh,ow,c]) {input_size} -> f32[n,h,w,c]: each pixel gets its share of the
// windows that cover it.
#include "compiler/ops/adaptive_window.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("input_size", 2, 1, kMaxSize)}));
  RETURN_IF_ERROR(expect_operands(node, {{"gradient", "f32[n,oh,ow,c]"}}));
  const auto& size = attr_ints(node.attrs, "input_size");
  return std::vector{f32({kBatch, size[0], size[1], node.inputs[0].dims[3]})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& dy = *inputs[0];
  Tensor& dx = outputs[0];
  const AdaptiveAxis rows{dx.dim(1), dy.dim(1)}, columns{dx.dim(2), dy.dim(2)};
  const int64_t c = dy.dim(3);
  for (int64_t i = 0; i < dy.elems(); ++i) {
    const int64_t channel = i % c, ox = i / c % dy.dim(2), oy = i / (c * dy.dim(2)) % dy.dim(1),
                  n = i / (c * dy.dim(2) * dy.dim(1));
    const double share = dy.data[i] / static_cast<double>(rows.size(oy) * columns.size(ox));
    for (int64_t iy = rows.begin(oy); iy < rows.end(oy); ++iy) {
      for (int64_t ix = columns.begin(ox); ix < columns.end(ox); ++ix) {
        dx.data[((n * dx.dim(1) + iy) * dx.dim(2) + ix) * c + channel] += share;
      }
    }
  }
}

int64_t work(const NodeView& node) {
  const auto &dy = node.inputs[0].dims, &dx = node.results[0].dims;
  return AdaptiveAxis{dy[1], dx[1]}.largest() * AdaptiveAxis{dy[2], dx[2]}.largest() * node.results[0].elems();
}

}  // namespace

const OpDef ops::adaptive_avg_pool2d_backward = {
    "adaptive_avg_pool2d_backward", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
