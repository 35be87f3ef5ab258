// Sums, moments and scales of batch normalisation (batch_norm.h).
#include "compiler/ops/lower/batch_norm.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

Func sum_over_pixels(const std::string& name, const Type& type, const Expr& batch, const PixelTerm& term) {
  Var c("c"), y("y"), n("n");
  RDom x(0, static_cast<int>(type.dims[2])), rows(0, static_cast<int>(type.dims[1]), 0, batch);
  Func row(name + "_row"), sum(name);
  row(c, y, n) += term(c, x, y, n);
  sum(c) += row(c, rows.x, rows.y);
  return sum;
}

Expr pixel_count(const Type& type, const Expr& batch) {
  return Halide::cast<float>(batch) * static_cast<float>(type.dims[1] * type.dims[2]);
}

Moments channel_moments(const Func& x, const Type& type, const Expr& batch) {
  const Expr count = pixel_count(type, batch);
  Var c("c");
  Moments moments{Func("mean"), Func("variance")};
  const Func sum = sum_over_pixels("mean_sum", type, batch,
                                   [&](Expr k, Expr px, Expr py, Expr n) -> Expr { return x(k, px, py, n); });
  moments.mean(c) = sum(c) / count;
  const Func squares = sum_over_pixels("variance_sum", type, batch, [&](Expr k, Expr px, Expr py, Expr n) -> Expr {
    const Expr distance = x(k, px, py, n) - moments.mean(k);
    return distance * distance;
  });
  moments.variance(c) = squares(c) / count;
  return moments;
}

Func normalizing_scale(const Func& weight, const Func& variance, const Attrs& attrs) {
  Var c("c");
  Func scale("normalizing_scale");
  scale(c) = weight(c) / sqrt(variance(c) + static_cast<float>(attr_float(attrs, "epsilon")));
  return scale;
}

}  // namespace convoke
