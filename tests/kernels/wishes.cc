#include "tests/kernels/wishes.h"

#include "compiler/ops/op.h"

namespace convoke {
namespace {

// A linear's weight over an image x is a convolution's whose kernel is the image.
std::vector<int64_t> oihw(const Type& weight, const Type& x) {
  if (weight.rank() == 4) return weight.dims;
  if (x.rank() == 4) return {weight.dims[0], x.dims[3], x.dims[1], x.dims[2]};
  return {weight.dims[0], weight.dims[1], 1, 1};
}

Layout data_gradient_layout(std::vector<int64_t> view) {
  using enum LayoutAxis::Part;
  return {std::move(view), {{1, kOuter, 4}, {2}, {3}, {0}, {1, kInner, 4}}};
}

}  // namespace

Result<Instance> wish_nothing(const Kernel& kernel, int64_t) {
  Instance instance{.template_name = "pointwise"};
  if (kernel.anchor != kNoAnchor) instance.template_name = kernel.body.nodes[kernel.anchor].op;
  instance.layouts.inputs.resize(kernel.inputs.size());
  instance.layouts.outputs.resize(kernel.body.outputs.size());
  return instance;
}

Result<Instance> wish_packed_weights(const Kernel& kernel, int64_t samples) {
  Instance instance = wish_nothing(kernel, samples).value();
  if (kernel.anchor == kNoAnchor) return instance;
  const Node& node = kernel.body.nodes[kernel.anchor];
  for (size_t i = 0; i < kernel.inputs.size() && node.inputs.size() > 1; ++i) {
    if (kernel.inputs[i] != node.inputs[1]) continue;
    const Type& weight = kernel.body.type(node.inputs[1]);
    if (node.op == "conv2d" || node.op == "linear") {
      instance.layouts.inputs[i] = packed_weights(oihw(weight, kernel.body.type(node.inputs[0])), 8);
    } else if (node.op == "conv2d_backward_data" || node.op == "linear_backward_data") {
      instance.layouts.inputs[i] = data_gradient_layout(oihw(weight, kernel.body.type(node.results[0])));
    }
  }
  return instance;
}

}  // namespace convoke
