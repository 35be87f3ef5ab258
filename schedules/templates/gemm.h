// gemm's parts: the three directions of linear layers, each a form of its own (gemm_*.cc), over one packed weight:
// [o/V][k][V], the features k in the order in which the input lies in memory, for an image [o/V][h][w][c][V].
#pragma once

#include <functional>

#include "compiler/ops/linear.h"
#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"

namespace convoke::gemm {

struct FeatureIndex {
  Halide::Expr c, x, y;
};

// A kernel whose weight is packed. A gradient of the weight, and what is elementwise with it, has the dimensions and
// the plain layout of that memory here, (l,k,b) or (l,c,x,y,b) for Halide.
struct Layer {
  Kernel kernel;
  bool is_image = false;
  int c = 1, w = 1, h = 1;  // features; of a vector all are c, or h pieces of c
  int out = 0;
  int block = 0;  // V
  int lanes = 0;  // of a vector of outputs

  int in() const { return c * w * h; }
  int vectors() const { return block / lanes; }
  int blocks() const { return ceil_div(out, block); }

  // An operand over (c,x,y,n), or (k,n).
  Halide::Expr input(const Halide::Func& f, const FeatureIndex& at, const Halide::Expr& n) const;
  // The packed weight of output b·V + l; zero for lanes beyond the last output.
  Halide::Expr weight(const Body& body, const Halide::Expr& l, const FeatureIndex& at, const Halide::Expr& b) const;
};

struct Direction {
  KnobRanges (*knobs)(const Linear&, const TargetSpec&);
  Knobs (*defaults)(const Linear&, BatchClass, const TargetSpec&);
  BuiltKernel (*build)(const Layer&, const Knobs&, const TargetSpec&);
};
extern const Direction forward, backward_data, backward_weights;

// A form of backward_data by tasks: each is a range of features of some samples, a loop of which goes by `step`
// features.
struct DataForm {
  std::function<Halide::Expr(const FeatureIndex& at, const Halide::Expr& n)> gradient;
  int range, samples, step;
  std::function<void(const Halide::Func& out, const Halide::Var& task, const Halide::Var& step)> schedule;
  Stream weights;  // without its buffer
};
// With vectors along the samples, `samples` of them a tile; it has no other knobs.
DataForm by_samples(const Body& body, const Layer& layer, const Knobs& knobs, const TargetSpec& target);

// The L2 cache does not keep the weights from one task, or one call, to the next.
bool streams_weights(int64_t in, int64_t out, const TargetSpec& target);

// Of the tiles whose accumulators, `vectors` and broadcast fit the registers the one that needs the fewest instructions
// for `features`.
int tile_features(int vectors, int features, const TargetSpec& target);

constexpr int kHidingAccumulators = 8;  // independent FMAs that hide the latency of one

}  // namespace convoke::gemm
