// channel_moments: the mean, then the mean square of the distances from it.
#include "compiler/ops/lower/batch_norm.h"

namespace convoke {

using Halide::Func;

std::vector<Func> lower_channel_moments(const NodeView& node, const LowerInputs& inputs) {
  const Moments moments = channel_moments(inputs.funcs[0], node.inputs[0], inputs.batch);
  return {moments.mean, moments.variance};
}

}  // namespace convoke
