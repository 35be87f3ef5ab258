// running_average(running, value f32[c], like) {momentum, count_per_sample} -> f32[c]: (1−momentum)·running +
// momentum·value. With count_per_sample k > 0 the value is a biased variance of m = n·k elements and is first made
// unbiased by m/(m−1), as PyTorch's running variance is (m = 1 stays as it is). `like` only tells n.
#include "compiler/ops/elementwise.h"

namespace convoke {
namespace {

Result<std::vector<Type>> infer(const NodeView& node) {
  RETURN_IF_ERROR(expect_attrs(node, {float_attr("momentum", 0, 1), int_attr("count_per_sample", 0, kMaxSize)}));
  if (node.inputs.size() != 3 || node.inputs[0] != node.inputs[1] || node.inputs[0].has_batch() ||
      !node.inputs[2].has_batch()) {
    return invalid_argument("running_average needs two operands of one type without a batch and one with");
  }
  return std::vector{node.inputs[0]};
}

void reference(const NodeView& node, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) {
  const double momentum = attr_float(node.attrs, "momentum");
  const double m = static_cast<double>(inputs[2]->dim(0) * attr_int(node.attrs, "count_per_sample"));
  const double unbias = m > 1 ? m / (m - 1) : 1;
  map_binary(inputs, outputs,
             [&](double running, double value) { return (1 - momentum) * running + momentum * unbias * value; });
}

}  // namespace

const OpDef ops::running_average = {
    "running_average", infer, reference, nullptr, {.in_place = true, .work = result_elems}};

}  // namespace convoke
