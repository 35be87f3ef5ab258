// row_sums(x f32[n,h,w,c]) -> (first, sums Σ d, squares Σ d² f32[n,h,1,c]): of each row its first pixel and, over its
// pixels, what their distances d = x − first add up to. A convolution makes them while it has the row in registers;
// merge_moments makes moments of them.
#include "compiler/ops/signature.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  RETURN_IF_ERROR(expect_operands(node, {{"input", "f32[n,h,w,c]"}}));
  Type rows = node.inputs[0];
  rows.dims[2] = 1;
  return std::vector{rows, rows, rows};
}

void reference(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const Tensor& x = *inputs[0];
  const auto c = static_cast<size_t>(x.dim(3)), row = static_cast<size_t>(x.dim(2)) * c;
  for (size_t i = 0; i < x.data.size(); ++i) {
    const size_t place = i / row * c + i % c;
    if (i % row < c) outputs[0].data[place] = x.data[i];
    const double distance = x.data[i] - outputs[0].data[place];
    outputs[1].data[place] += distance;
    outputs[2].data[place] += distance * distance;
  }
}

int64_t work(const NodeView& node) { return 2 * node.inputs[0].elems(); }

}  // namespace

const OpDef ops::row_sums = {"row_sums", infer, reference, nullptr, {.work = work}};

}  // namespace convoke
