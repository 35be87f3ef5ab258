// The typed view of ops that sum over the batch and the pixels (per channel), or over everything.
#pragma once

#include <optional>

#include "compiler/ops/op.h"

namespace convoke {

struct Reduction {
  enum Kind : uint8_t {
    kSum,                    // x -> Σ x a channel
    kMoments,                // x -> mean, biased variance a channel
    kNormalizationGradient,  // dy, x, mean, variance -> Σ dy·(x − mean)/√(variance + ε), Σ dy a channel
    kSumSquares,             // x f32[p] -> Σ x²
  };
  Kind kind;
  int64_t h = 1, w = 1, c = 1;  // of a sample; kSumSquares: c elements and no batch
  double epsilon = 0;
};

// Nothing when the node is another op.
std::optional<Reduction> as_reduction(const NodeView& node);

}  // namespace convoke
