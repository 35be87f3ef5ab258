// The typed views of ops that reduce: over pixels (of an image or of the whole batch, per channel), over everything, or
// over the classes of a row.
#pragma once

#include <optional>

#include "compiler/ops/op.h"

namespace convoke {

struct Reduction {
  enum Kind : uint8_t {
    kSum,                    // x -> Σ x a channel
    kMoments,                // x -> mean, biased variance a channel
    kMergedMoments,          // first, sums, squares of rows of `pixels` -> mean, biased variance a channel
    kNormalizationGradient,  // dy, x, mean, variance -> Σ dy·(x − mean)/√(variance + ε), Σ dy a channel
    kImageMean,              // x -> Σ x/(h·w) a channel of an image
    kSumSquares,             // x f32[p] -> Σ x²
  };
  Kind kind;
  int64_t h = 1, w = 1, c = 1;  // of a sample; kSumSquares: c elements and no batch
  double epsilon = 0;
  int64_t pixels = 1;
};

// Rows of the last dimension: k elements.
struct RowReduction {
  enum Kind : uint8_t {
    kSoftmax,               // x -> e^x/Σ e^x
    kSoftmaxGradient,       // dy, y -> y·(dy − Σ dy·y)
    kCrossEntropy,          // logits f32[n,k], labels i32[n] -> mean over n of −Σ t·log softmax
    kCrossEntropyGradient,  // logits, labels, dloss f32[] -> dloss/n·(softmax − t)
    kAccuracy,              // logits, labels -> the share of rows whose first maximum is the label's
  };
  Kind kind;
  int64_t k = 1;
  double label_smoothing = 0;  // s in the target t = (1−s)·onehot + s/k
};

// Nothing when the node is another op.
std::optional<Reduction> as_reduction(const NodeView& node);
std::optional<RowReduction> as_row_reduction(const NodeView& node);

}  // namespace convoke
