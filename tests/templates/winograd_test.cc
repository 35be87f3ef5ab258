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

// y_i = Σ_k d_{s·i+k}·w_k
std::vector<double> correlation(const std::vector<double>& d, const std::vector<double>& w, size_t stride) {
  std::vector<double> y((d.size() - w.size()) / stride + 1);
  for (size_t i = 0; i < y.size(); ++i) {
    for (size_t k = 0; k < w.size(); ++k) y[i] += d[stride * i + k] * w[k];
  }
  return y;
}

// dw_k = Σ_i d_{s·i+k}·dy_i
std::vector<double> gradient(const std::vector<double>& d, const std::vector<double>& dy, size_t taps, size_t stride) {
  std::vector<double> dw(taps);
  for (size_t i = 0; i < dy.size(); ++i) {
    for (size_t k = 0; k < taps; ++k) dw[k] += d[stride * i + k] * dy[i];
  }
  return dw;
}

// dd_{s·i+k} += dy_i·w_k
std::vector<double> input_gradient(const std::vector<double>& dy, const std::vector<double>& w, size_t stride) {
  std::vector<double> dd(stride * (dy.size() - 1) + w.size());
  for (size_t i = 0; i < dy.size(); ++i) {
    for (size_t k = 0; k < w.size(); ++k) dd[stride * i + k] += dy[i] * w[k];
  }
  return dd;
}

void check_equal(const Exprs& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const std::optional<double> value = Halide::Internal::as_const_float(Halide::Internal::simplify(found[i]));
    REQUIRE(value);
    CHECK(*value == doctest::Approx(expected[i]).epsilon(1e-13));
  }
}

constexpr Filtering kFilterings[] = {{2, 3},    {4, 3},    {5, 3},    {6, 3},     {7, 3},    {7, 2},    {2, 5},
                                     {3, 5},    {4, 5},    {3, 2},    {3, 3},     {2, 2},    {2, 3, 2}, {4, 3, 2},
                                     {6, 3, 2}, {2, 7, 2}, {4, 7, 2}, {2, 11, 4}, {3, 11, 4}};

TEST_CASE("minimal filtering is correlation, its gradients likewise, of any stride") {
  for (const Filtering& filtering : kFilterings) {
    CAPTURE(filtering.outputs);
    CAPTURE(filtering.taps);
    CAPTURE(filtering.stride);
    const std::vector<double> d = whole_numbers(filtering.points(), 1), w = whole_numbers(filtering.taps, 2),
                              dy = whole_numbers(filtering.outputs, 3);
    const auto stride = static_cast<size_t>(filtering.stride);
    const Exprs input = winograd_input(filtering, constants(d)), kernel = winograd_kernel(filtering, constants(w));
    check_equal(winograd_output(filtering, products(input, kernel)), correlation(d, w, stride));
    const Exprs transformed = winograd_output_gradient(filtering, constants(dy));
    check_equal(winograd_kernel_gradient(filtering, products(input, transformed)), gradient(d, dy, w.size(), stride));
    check_equal(winograd_input_gradient(filtering, products(kernel, transformed)), input_gradient(dy, w, stride));
  }
}

}  // namespace
}  // namespace convoke
