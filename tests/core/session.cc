// What the tests do with the hand-written library; see tiny_plan.h.
#include <doctest/doctest.h>

#include <cstddef>

#include "tests/core/tiny_plan.h"

namespace convoke::core {

Session::Session(const convoke_context_options& options) {
  REQUIRE(library().weights_create(&weights, &error) == CONVOKE_OK);
  library().weights_initialize(weights, 7);
  REQUIRE_MESSAGE(library().context_create(weights, &options, &context, &error) == CONVOKE_OK, error.message);
}
Session::~Session() {
  library().context_destroy(context);
  library().weights_destroy(weights);
}

std::vector<float> pattern(int64_t count, int seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[static_cast<std::size_t>(i)] = static_cast<float>((i * 37 + seed * 101) % 97) / 48.0f - 1.0f;
  }
  return values;
}

std::vector<double> reference_linear(const std::vector<float>& x, const std::vector<float>& w,
                                     const std::vector<float>& b) {
  std::vector<double> y;
  for (std::size_t s = 0; s < x.size() / kInputs; ++s) {
    for (std::size_t o = 0; o < kClasses; ++o) {
      double sum = static_cast<double>(b[o]);
      for (std::size_t k = 0; k < kInputs; ++k) sum += double{w[o * kInputs + k]} * double{x[s * kInputs + k]};
      y.push_back(sum);
    }
  }
  return y;
}

}  // namespace convoke::core
