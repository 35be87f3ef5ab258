// running_average: (1 − momentum)·running + momentum·value, a variance first made unbiased by m/(m − 1).
#include "compiler/ops/lower/elementwise.h"

namespace convoke {

using Halide::Expr, Halide::Func;

std::vector<Func> lower_running_average(const NodeView& node, const LowerInputs& inputs) {
  const auto momentum = static_cast<float>(attr_float(node.attrs, "momentum"));
  const auto count = static_cast<float>(attr_int(node.attrs, "count_per_sample"));
  const Expr m = count * Halide::cast<float>(inputs.batch);
  const Expr unbias = select(m > 1.0f, m / max(m - 1.0f, 1.0f), 1.0f);
  return elementwise_binary(node, inputs, [&](const Expr& running, const Expr& value) {
    return (1.0f - momentum) * running + momentum * unbias * value;
  });
}

}  // namespace convoke
