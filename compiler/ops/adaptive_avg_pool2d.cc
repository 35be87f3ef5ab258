// adaptive_avg_pool2d(x f32[n,h,w,c]) {output_size} -> f32[n,oh,ow,c]: the mean of each window (adaptive_window.h).
#include "compiler/ops/adaptive_window.h"
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {ints_attr("output_size", 2, 1, kMaxAttr)}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}}));
  const auto& size = attr_ints(node.attrs, "output_size");
  return std::vector{f32({kBatch, size[0], size[1], node.inputs[0].dims[3]})};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  Tensor& y = outputs[0];
  const AdaptiveAxis rows{x.dim(1), y.dim(1)}, columns{x.dim(2), y.dim(2)};
  const int64_t c = x.dim(3);
  for (int64_t i = 0; i < y.elems(); ++i) {
    const int64_t channel = i % c, ox = i / c % y.dim(2), oy = i / (c * y.dim(2)) % y.dim(1),
                  n = i / (c * y.dim(2) * y.dim(1));
    double sum = 0;
    for (int64_t iy = rows.begin(oy); iy < rows.end(oy); ++iy) {
      for (int64_t ix = columns.begin(ox); ix < columns.end(ox); ++ix) {
        sum += x.data[((n * x.dim(1) + iy) * x.dim(2) + ix) * c + channel];
      }
    }
    y.data[i] = sum / static_cast<double>(rows.size(oy) * columns.size(ox));
  }
}

std::vector<ValueId> vjp(Builder& builder, const NodeView& node, const NodeValues& values,
                         std::span<const ValueId> dys) {
  const auto& x = node.inputs[0].dims;
  return {
      builder.add1(values.name, "adaptive_avg_pool2d_backward", {dys[0]}, {{"input_size", std::vector{x[1], x[2]}}})};
}

int64_t work(const NodeView& node) {
  const auto &x = node.inputs[0].dims, &y = node.results[0].dims;
  return AdaptiveAxis{x[1], y[1]}.largest() * AdaptiveAxis{x[2], y[2]}.largest() * node.results[0].elems();
}

}  // namespace

const OpDef ops::adaptive_avg_pool2d = {"adaptive_avg_pool2d", infer, reference, vjp, {.work = work}};

}  // namespace convoke
