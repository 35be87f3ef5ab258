// The points 0, ±1, ±2, ±1/2, with ∞ last (winograd.h). ±p share what is even and what is odd in p.
#include "schedules/templates/winograd.h"

#include <array>
#include <cmath>
#include <numeric>

#include "runtime/base/check.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

namespace {

constexpr std::array kPoints = {0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5};

// A transform's finite points: 0, pairs ±p, and at an even number of them one that has no partner.
struct Points {
  explicit Points(size_t points) {
    ENSURE(points >= 4 && points <= kPoints.size() + 1) << points << " points";
    finite.assign(kPoints.begin(), kPoints.begin() + static_cast<std::ptrdiff_t>(points) - 1);
    for (size_t j = 1; j + 1 < finite.size(); j += 2) pairs.push_back(finite[j]);
    if (finite.size() % 2 == 0) single = finite.back();
  }

  std::vector<double> finite, pairs;
  double single = 0;  // none
};

Expr times(const Expr& x, double factor) {
  return factor == 1 ? x : x * Halide::Internal::make_const(x.type(), factor);
}

Expr plus(const Expr& sum, const Expr& term) { return sum.defined() ? sum + term : term; }

// Σ p^i·x_i over the even (first = 0) or odd (first = 1) i.
Expr half_of_polynomial(const Exprs& x, double p, size_t first) {
  Expr sum;
  for (size_t i = first; i < x.size(); i += 2) sum = plus(sum, times(x[i], std::pow(p, i)));
  return sum;
}

// Σ c_k·d_{first+2k} with Π (x² − p²) = Σ c_k·x^2k over all pairs but one (0: over all).
Expr filtered(const Exprs& d, const Points& points, double but, size_t first) {
  std::vector<double> c = {1};
  for (double p : points.pairs) {
    if (p == but) continue;
    c.insert(c.begin(), 0);
    for (size_t k = 0; k + 1 < c.size(); ++k) c[k] -= p * p * c[k + 1];
  }
  Expr sum;
  for (size_t k = 0; k < c.size(); ++k) sum = plus(sum, times(d[first + 2 * k], c[k]));
  return sum;
}

// 1/N_j of the finite points.
std::vector<double> scales(const std::vector<double>& points) {
  std::vector<double> scales;
  for (double p : points) {
    scales.push_back(std::accumulate(points.begin(), points.end(), 1.0,
                                     [&](double s, double q) { return q == p ? s : s / (p - q); }));
  }
  return scales;
}

Exprs scaled(Exprs values) {
  const std::vector<double> factors = scales(Points(values.size()).finite);
  for (size_t j = 0; j < factors.size(); ++j) values[j] = times(values[j], factors[j]);
  return values;
}

}  // namespace

// Row j has the coefficients of Π_{l≠j} (x − a_l). A single point s multiplies all rows but its own by x − s.
Exprs winograd_input(const Exprs& d) {
  const Points points(d.size());
  Exprs differences = d;
  if (points.single != 0) {
    for (size_t i = 0; i + 1 < d.size(); ++i) differences[i] = d[i + 1] - times(d[i], points.single);
  }
  Exprs values = {filtered(differences, points, 0, 0)};
  for (double p : points.pairs) {
    const Expr even = filtered(differences, points, p, 2), odd = times(filtered(differences, points, p, 1), p);
    values.insert(values.end(), {even + odd, even - odd});
  }
  if (points.single != 0) values.push_back(filtered(d, points, 0, 1));
  values.push_back(filtered(differences, points, 0, 1));
  return values;
}

Exprs winograd_output_gradient(const Exprs& dy, int n) {
  const Points points(n);
  Exprs values = {dy.front()};
  for (double p : points.pairs) {
    const Expr even = half_of_polynomial(dy, p, 0), odd = half_of_polynomial(dy, p, 1);
    values.insert(values.end(), {even + odd, even - odd});
  }
  if (points.single != 0) {
    values.push_back(half_of_polynomial(dy, points.single, 0) + half_of_polynomial(dy, points.single, 1));
  }
  values.push_back(dy.back());
  return values;
}

Exprs winograd_output(const Exprs& products, int outputs) {
  const Points points(products.size());
  Exprs y(outputs);
  for (int i = 0; i < outputs; ++i) {
    if (i == 0) y[i] = products.front();
    for (size_t p = 0; p < points.pairs.size(); ++p) {
      const Expr &at_plus = products[2 * p + 1], &at_minus = products[2 * p + 2];
      y[i] = plus(y[i], times(i % 2 == 0 ? at_plus + at_minus : at_plus - at_minus, std::pow(points.pairs[p], i)));
    }
    if (points.single != 0) y[i] = y[i] + times(products[products.size() - 2], std::pow(points.single, i));
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
