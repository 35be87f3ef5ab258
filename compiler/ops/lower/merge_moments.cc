// merge_moments: means and variances of rows of one length, merged in two passes.
#include "compiler/ops/lower/batch_norm.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

std::vector<Func> lower_merge_moments(const NodeView& node, const LowerInputs& inputs) {
  const Func &first = inputs.funcs[0], &sums = inputs.funcs[1], &squares = inputs.funcs[2];
  const Type& rows = node.inputs[0];
  const auto pixels = static_cast<float>(attr_int(node.attrs, "pixels"));
  const Expr count = pixel_count(rows, inputs.batch);
  Var c("c");
  Func mean("mean"), variance("variance");
  const auto of_row = [&](Expr k, Expr y, Expr n) -> Expr { return first(k, 0, y, n) + sums(k, 0, y, n) / pixels; };
  mean(c) = sum_over_pixels("mean_sum", rows, inputs.batch,
                            [&](Expr k, Expr, Expr y, Expr n) -> Expr { return of_row(k, y, n); })(c) /
            count;
  const Func spread = sum_over_pixels("variance_sum", rows, inputs.batch, [&](Expr k, Expr, Expr y, Expr n) -> Expr {
    const Expr inside = sums(k, 0, y, n) / pixels, between = of_row(k, y, n) - mean(k);
    return squares(k, 0, y, n) / pixels - inside * inside + between * between;
  });
  variance(c) = spread(c) / count;
  return {mean, variance};
}

}  // namespace convoke
