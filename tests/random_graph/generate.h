// Random networks as model definitions, so that the whole path from import on runs: odd sizes, groups, dilation,
// asymmetric padding, residuals, branches, one or two inputs and outputs, and a way to train each (those that put out
// an image are not trained).
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "compiler/autodiff/update.h"

namespace convoke {

// std::mt19937_64 with our own ways to draw: the standard's distributions differ between libraries.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool one_in(int64_t n) { return between(1, n) == 1; }
  template <typename T>
  const T& of(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(between(0, static_cast<int64_t>(choices.size()) - 1))];
  }
  double uniform(double bound) {  // in [-bound, bound)
    return (static_cast<double>(engine_() >> 11) / (1LL << 52) - 1) * bound;
  }

 private:
  std::mt19937_64 engine_;
};

struct RandomModel {
  std::string definition;  // protobuf text
  int64_t capacity = 1;
  bool trained = true;
  OptimizerOptions optimizer;
  double label_smoothing = 0;
  std::vector<std::string> freeze;
  // Biases straight in front of a batch norm, which takes them away again: their gradients are zero, and what is
  // computed instead is rounding.
  std::vector<std::string> idle_biases;
};

// `attempt`: another network for the same seed.
RandomModel random_model(uint64_t seed, int attempt);

}  // namespace convoke
