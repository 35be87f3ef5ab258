// The transforms by phases and points (winograd.h). Points ±p share what is even and what is odd in p.
#include "schedules/templates/winograd.h"

#include <array>
#include <cmath>
#include <numeric>

#include "runtime/base/check.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;

namespace {

// The finite points: pairs ±p, and 0 where their number is odd.
struct Points {
  explicit Points(size_t points) : has_zero(points % 2 == 0) {
    ENSURE(points >= kLeast && points < kLeast + kPairs.size()) << points << " points";
    pairs = kPairs[points - kLeast];
    if (has_zero) finite.push_back(0);
    for (double p : pairs) finite.insert(finite.end(), {p, -p});
  }

  // By the number of points: those of the least error (winograd.h) to a few bits, or simple ones that are as good.
  static constexpr size_t kLeast = 3;
  static inline const std::array<std::vector<double>, 7> kPairs = {{
      {11.0 / 16},
      {1},
      {13.0 / 32, 5.0 / 4},
      {11.0 / 16, 3.0 / 2},
      {5.0 / 16, 7.0 / 8, 13.0 / 8},
      {1.0 / 2, 1, 2},
      {1.0 / 4, 11.0 / 16, 9.0 / 8, 2},
  }};

  bool has_zero;
  std::vector<double> pairs, finite;
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

// c_k with Π (x² − p²) = Σ c_k·x^2k over all pairs but one (0: over all).
std::vector<double> coefficients(const Points& points, double but) {
  std::vector<double> c = {1};
  for (double p : points.pairs) {
    if (p == but) continue;
    c.insert(c.begin(), 0);
    for (size_t k = 0; k + 1 < c.size(); ++k) c[k] -= p * p * c[k + 1];
  }
  return c;
}

// Σ c_k·d_{first+2k}
Expr filtered(const Exprs& d, const Points& points, double but, size_t first) {
  const std::vector<double> c = coefficients(points, but);
  Expr sum;
  for (size_t k = 0; k < c.size(); ++k) sum = plus(sum, times(d[first + 2 * k], c[k]));
  return sum;
}

// d_{first+2k} += c_k·value
void spread(Exprs& d, const Expr& value, const Points& points, double but, size_t first) {
  const std::vector<double> c = coefficients(points, but);
  for (size_t k = 0; k < c.size(); ++k) d[first + 2 * k] = plus(d[first + 2 * k], times(value, c[k]));
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

// Row j has the coefficients of Π_{l≠j} (x − a_l).
Exprs input_of(const Filtering& phase, const Exprs& d) {
  if (phase.taps == 1) return d;
  const Points points(d.size());
  const size_t first = points.has_zero ? 1 : 0;  // the power of x that all rows but that of 0 begin with
  Exprs values;
  if (points.has_zero) values.push_back(filtered(d, points, 0, 0));
  for (double p : points.pairs) {
    const Expr even = filtered(d, points, p, first + 1), odd = times(filtered(d, points, p, first), p);
    values.insert(values.end(), {even + odd, even - odd});
  }
  values.push_back(filtered(d, points, 0, first));
  return values;
}

// The transpose of input_of.
Exprs input_gradient_of(const Filtering& phase, const Exprs& values) {
  if (phase.taps == 1) return values;
  const Points points(values.size());
  const size_t first = points.has_zero ? 1 : 0;
  Exprs d(values.size());
  size_t next = 0;
  if (points.has_zero) spread(d, values[next++], points, 0, 0);
  for (double p : points.pairs) {
    const Expr &at_plus = values[next++], &at_minus = values[next++];
    spread(d, at_plus + at_minus, points, p, first + 1);
    spread(d, times(at_plus - at_minus, p), points, p, first);
  }
  spread(d, values[next], points, 0, first);
  return d;
}

// The polynomial with these coefficients at n points.
Exprs evaluate(const Exprs& x, size_t n) {
  const Points points(n);
  Exprs values;
  if (points.has_zero) values.push_back(x.front());
  for (double p : points.pairs) {
    const Expr even = half_of_polynomial(x, p, 0), odd = half_of_polynomial(x, p, 1);
    values.insert(values.end(), {even + odd, even - odd});
  }
  values.push_back(x.back());
  return values;
}

// The transpose of evaluate.
Exprs combine(const Exprs& values, int count) {
  const Points points(values.size());
  Exprs x(count);
  for (int i = 0; i < count; ++i) {
    size_t next = points.has_zero ? 1 : 0;
    if (points.has_zero && i == 0) x[i] = values.front();
    for (double p : points.pairs) {
      const Expr &at_plus = values[next++], &at_minus = values[next++];
      x[i] = plus(x[i], times(i % 2 == 0 ? at_plus + at_minus : at_plus - at_minus, std::pow(p, i)));
    }
    if (i == count - 1) x[i] = x[i] + values.back();
  }
  return x;
}

Exprs kernel_of(const Filtering& phase, const Exprs& w) {
  return phase.taps == 1 ? Exprs(phase.outputs, w[0]) : scaled(evaluate(w, phase.points()));
}

Exprs output_of(const Filtering& phase, const Exprs& products) {
  return phase.taps == 1 ? products : combine(products, phase.outputs);
}

Exprs output_gradient_of(const Filtering& phase, const Exprs& dy) {
  return phase.taps == 1 ? dy : evaluate(dy, phase.points());
}

Exprs kernel_gradient_of(const Filtering& phase, const Exprs& products) {
  if (phase.taps > 1) return combine(scaled(products), phase.taps);
  return {std::accumulate(products.begin() + 1, products.end(), products[0])};
}

// Phases p of a stride: their points begin behind those of the phases before.
template <typename Visit>
void for_each_phase(const Filtering& filtering, Visit visit) {
  for (int p = 0, first = 0; p < filtering.stride; ++p) {
    const int taps = (filtering.taps - p + filtering.stride - 1) / filtering.stride;
    const Filtering phase{filtering.outputs, taps};
    visit(phase, p, first);
    first += phase.points();
  }
}

Exprs every(const Exprs& x, int stride, int first) {
  Exprs some;
  for (size_t i = first; i < x.size(); i += stride) some.push_back(x[i]);
  return some;
}

void append(Exprs& values, const Exprs& more) { values.insert(values.end(), more.begin(), more.end()); }

Exprs points_of(const Exprs& values, const Filtering& phase, int first) {
  return {values.begin() + first, values.begin() + first + phase.points()};
}

}  // namespace

Exprs winograd_input(const Filtering& filtering, const Exprs& d) {
  Exprs values;
  for_each_phase(filtering, [&](const Filtering& phase, int p, int) {
    append(values, input_of(phase, every(d, filtering.stride, p)));
  });
  return values;
}

Exprs winograd_input_gradient(const Filtering& filtering, const Exprs& points) {
  Exprs d(points.size());
  for_each_phase(filtering, [&](const Filtering& phase, int p, int first) {
    const Exprs part = input_gradient_of(phase, points_of(points, phase, first));
    for (size_t i = 0; i < part.size(); ++i) d[p + filtering.stride * i] = part[i];
  });
  return d;
}

Exprs winograd_kernel(const Filtering& filtering, const Exprs& w) {
  Exprs values;
  for_each_phase(filtering, [&](const Filtering& phase, int p, int) {
    append(values, kernel_of(phase, every(w, filtering.stride, p)));
  });
  return values;
}

Exprs winograd_output(const Filtering& filtering, const Exprs& products) {
  Exprs y(filtering.outputs);
  for_each_phase(filtering, [&](const Filtering& phase, int, int first) {
    const Exprs part = output_of(phase, points_of(products, phase, first));
    for (size_t i = 0; i < y.size(); ++i) y[i] = plus(y[i], part[i]);
  });
  return y;
}

Exprs winograd_output_gradient(const Filtering& filtering, const Exprs& dy) {
  Exprs values;
  for_each_phase(filtering, [&](const Filtering& phase, int, int) { append(values, output_gradient_of(phase, dy)); });
  return values;
}

Exprs winograd_kernel_gradient(const Filtering& filtering, const Exprs& products) {
  Exprs dw(filtering.taps);
  for_each_phase(filtering, [&](const Filtering& phase, int p, int first) {
    const Exprs part = kernel_gradient_of(phase, points_of(products, phase, first));
    for (size_t i = 0; i < part.size(); ++i) dw[p + filtering.stride * i] = part[i];
  });
  return dw;
}

Func winograd_weights(const Func& weight, const Type& type, const KernelTransform& transform) {
  const int width = static_cast<int>(type.dims[3]), height = static_cast<int>(type.dims[2]);
  const auto filtering = [&](int64_t tile, int taps) {
    return Filtering{static_cast<int>(tile), taps, static_cast<int>(transform.stride)};
  };
  Var i("i"), j("j"), ci("ci"), co("co");
  Exprs rows;
  for (int y = 0; y < height; ++y) {
    Exprs row;
    for (int x = 0; x < width; ++x) {
      const Expr tap = transform.rotated ? weight(width - 1 - x, height - 1 - y, ci, co) : weight(x, y, ci, co);
      row.push_back(tap);
    }
    rows.push_back(mux(i, winograd_kernel(filtering(transform.tile_x, width), row)));
  }
  Func transformed("winograd_weights");
  transformed(i, j, ci, co) = mux(j, winograd_kernel(filtering(transform.tile_y, height), rows));
  return transformed;
}

}  // namespace convoke
