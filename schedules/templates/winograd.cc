// The points 0, ±1 and 0, ±1, ±2, with ∞ last (winograd.h). ±p share what is even and what is odd in p.
#include "schedules/templates/winograd.h"

#include <cmath>

#include "runtime/base/check.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

namespace {

int pairs_of(int points) {
  ENSURE(points == 4 || points == 6) << points << " points";
  return points / 2 - 1;
}

Expr times(const Expr& x, double factor) {
  return factor == 1 ? x : x * Halide::Internal::make_const(x.type(), factor);
}

Expr plus(const Expr& sum, const Expr& term) { return sum.defined() ? sum + term : term; }

// Σ p^i·x_i over the even (first = 0) or odd (first = 1) i.
Expr half_of_polynomial(const Exprs& x, int p, size_t first) {
  Expr sum;
  for (size_t i = first; i < x.size(); i += 2) sum = plus(sum, times(x[i], std::pow(p, i)));
  return sum;
}

// 1/N_j of the finite points.
std::vector<double> scales(int points) {
  if (points == 4) return {-1.0, 1.0 / 2, 1.0 / 2};
  return {1.0 / 4, -1.0 / 6, -1.0 / 6, 1.0 / 24, 1.0 / 24};
}

Exprs scaled(Exprs values) {
  const std::vector<double> factors = scales(static_cast<int>(values.size()));
  for (size_t j = 0; j < factors.size(); ++j) values[j] = times(values[j], factors[j]);
  return values;
}

}  // namespace

Exprs winograd_input(const Exprs& d) {
  if (pairs_of(static_cast<int>(d.size())) == 1) return {d[2] - d[0], d[1] + d[2], d[2] - d[1], d[3] - d[1]};
  const Expr even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1], even_2 = d[4] - d[2], odd_2 = 2 * (d[3] - d[1]);
  return {4 * d[0] - 5 * d[2] + d[4], even + odd, even - odd, even_2 + odd_2, even_2 - odd_2,
          4 * d[1] - 5 * d[3] + d[5]};
}

Exprs winograd_output_gradient(const Exprs& dy, int points) {
  Exprs values = {dy.front()};
  for (int p = 1; p <= pairs_of(points); ++p) {
    const Expr even = half_of_polynomial(dy, p, 0), odd = half_of_polynomial(dy, p, 1);
    values.insert(values.end(), {even + odd, even - odd});
  }
  values.push_back(dy.back());
  return values;
}

Exprs winograd_output(const Exprs& products, int outputs) {
  const int pairs = pairs_of(static_cast<int>(products.size()));
  Exprs y(outputs);
  for (int i = 0; i < outputs; ++i) {
    if (i == 0) y[i] = products.front();
    for (int p = 1; p <= pairs; ++p) {
      const Expr &at_plus = products[2 * p - 1], &at_minus = products[2 * p];
      y[i] = plus(y[i], times(i % 2 == 0 ? at_plus + at_minus : at_plus - at_minus, std::pow(p, i)));
    }
    if (i == outputs - 1) y[i] = y[i] + products.back();
  }
  return y;
}

Exprs winograd_kernel(const Exprs& w, int points) { return scaled(winograd_output_gradient(w, points)); }

Exprs winograd_kernel_gradient(const Exprs& sums, int taps) { return winograd_output(scaled(sums), taps); }

Func winograd_weights(const Func& weight, const Type& type, const KernelTransform& transform) {
  const int width = static_cast<int>(type.dims[3]), height = static_cast<int>(type.dims[2]);
  const int tile = static_cast<int>(transform.tile);
  Var i("i"), j("j"), ci("ci"), co("co");
  Exprs rows;
  for (int y = 0; y < height; ++y) {
    Exprs row;
    for (int x = 0; x < width; ++x) {
      const Expr tap = transform.rotated ? weight(width - 1 - x, height - 1 - y, ci, co) : weight(x, y, ci, co);
      row.push_back(tap);
    }
    rows.push_back(mux(i, winograd_kernel(row, width + tile - 1)));
  }
  Func transformed("winograd_weights");
  transformed(i, j, ci, co) = mux(j, winograd_kernel(rows, height + tile - 1));
  return transformed;
}

}  // namespace convoke
