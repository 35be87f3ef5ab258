// batch_norm2d_train: batch_norm2d with the moments of the batch, and the moments.
#include "compiler/ops/lower/batch_norm.h"
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Func;

std::vector<Func> lower_batch_norm2d_train(const NodeView& node, const LowerInputs& inputs) {
  const Func &x = inputs.funcs[0], &bias = inputs.funcs[2];
  const Moments moments = channel_moments(x, node.inputs[0], inputs.batch);
  const Func scale = normalizing_scale(inputs.funcs[1], moments.variance, node.attrs);
  std::vector<Func> results =
      elementwise(node, [&](const Place& at) { return (x(at) - moments.mean(at[0])) * scale(at[0]) + bias(at[0]); });
  results.push_back(moments.mean);
  results.push_back(moments.variance);
  return results;
}

}  // namespace convoke
