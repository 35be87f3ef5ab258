// The transforms against the correlation and its gradient that they stand for, on small whole numbers.
#include "schedules/templates/winograd.h"

#include <doctest/doctest.h>

namespace convoke {
namespace {

std::vector<double> whole_numbers(int count, int seed) {
  std::vector<double> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back((i * 7 + seed * 5) % 11 - 4);
  return numbers;
}

Exprs constants(const std::vector<double>& values) {
  Exprs exprs;
  for (double value : values) exprs.push_back(Halide::Internal::make_const(Halide::Float(64), value));
  return exprs;
}

Exprs products(const Exprs& a, const Exprs& b) {
  REQUIRE(a.size() == b.size());
  Exprs made;
  for (size_t i = 0; i < a.size(); ++i) made.push_back(a[i] * b[i]);
  return made;
}

// y_i = Σ_k d_{i+k}·w_k
std::vector<double> correlation(const std::vector<double>& d, const std::vector<double>& w) {
  std::vector<double> y(d.size() - w.size() + 1);
  for (size_t i = 0; i < y.size(); ++i) {
    for (size_t k = 0; k < w.size(); ++k) y[i] += d[i + k] * w[k];
  }
  return y;
}

void check_equal(const Exprs& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const std::optional<double> value = Halide::Internal::as_const_float(Halide::Internal::simplify(found[i]));
    REQUIRE(value);
    CHECK(*value == doctest::Approx(expected[i]).epsilon(1e-14));
  }
}

struct Filtering {
  int outputs, taps;
};

constexpr Filtering kFilterings[] = {{2, 3}, {4, 3}, {5, 3}, {6, 3}, {2, 5}, {3, 5}, {4, 5}, {3, 2}, {3, 3}};

TEST_CASE("minimal filtering is correlation, its gradient likewise") {
  for (const auto [outputs, taps] : kFilterings) {
    CAPTURE(outputs);
    CAPTURE(taps);
    const int points = outputs + taps - 1;
    const std::vector<double> d = whole_numbers(points, 1), w = whole_numbers(taps, 2), dy = whole_numbers(outputs, 3);
    const Exprs input = winograd_input(constants(d));
    check_equal(winograd_output(products(input, winograd_kernel(constants(w), points)), outputs), correlation(d, w));
    const Exprs gradient = winograd_output_gradient(constants(dy), points);
    check_equal(winograd_kernel_gradient(products(input, gradient), taps), correlation(d, dy));
  }
}

}  // namespace
}  // namespace convoke
