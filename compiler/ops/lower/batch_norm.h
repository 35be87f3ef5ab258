// What the definitions around batch normalisation share. Funcs of the channel alone stand apart from the elementwise
// part, so that a template may compute them once.
#pragma once

#include <functional>

#include "compiler/ops/lower/lower.h"

namespace convoke {

// Σ over x, y, n of term(c, x, y, n) for f32[n,h,w,c], as a Func of c. Rows first, then their sums: in float32 short
// chains lose less than one long chain.
using PixelTerm = std::function<Halide::Expr(Halide::Expr c, Halide::Expr x, Halide::Expr y, Halide::Expr n)>;
Halide::Func sum_over_pixels(const std::string& name, const Type& type, const Halide::Expr& batch,
                             const PixelTerm& term);

Halide::Expr pixel_count(const Type& type, const Halide::Expr& batch);  // n·h·w, in float

struct Moments {
  Halide::Func mean, variance;  // of the channel; the variance is biased
};
// In two passes: the squares are of distances from the mean.
Moments channel_moments(const Halide::Func& x, const Type& type, const Halide::Expr& batch);

// weight/√(variance + ε), of the channel.
Halide::Func normalizing_scale(const Halide::Func& weight, const Halide::Func& variance, const Attrs& attrs);

}  // namespace convoke
