// gemm's parts: the three directions of linear layers, each a form of its own (gemm_*.cc), and what they share: the
// packed weight, [o/V][k][V] with the features k in the order in which the input lies in memory.
#pragma once

#include "compiler/ops/linear.h"
#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"

namespace convoke::gemm {

// The features of a sample as c·w·h, in the order in memory: an image as it is, a vector as h pieces of c.
struct Features {
  int c = 1, w = 1, h = 1;
};
// A vector is cut into pieces of at most `longest` features, as its divisors allow.
Features features_of(const Linear& linear, int64_t longest);

struct FeatureIndex {
  Halide::Expr c, x, y;
};

// What every direction is built from.
struct Problem {
  const Body& body;
  Linear linear;
  Features features;
  int block;     // of outputs in the packed weight
  int argument;  // which holds the packed weight; -1: it is not packed

  Halide::Expr input(const Halide::Func& f, const FeatureIndex& at, const Halide::Expr& n) const;
  // The weight of output b·block + l; for lanes beyond the last output the packed layout's zeros, or something that is
  // not to be used.
  Halide::Expr weight(const Halide::Expr& l, const Halide::Expr& b, const FeatureIndex& at) const;
};

Layout packed_linear(const Linear& linear, int64_t block);
// The block of a layout that packed_linear made; 0 of any other.
int packed_block(const Linear& linear, const Layout& layout);

struct Direction {
  KnobRanges (*knobs)(const Linear&, const TargetSpec&);
  Knobs (*defaults)(const Linear&, const TargetSpec&);
  std::vector<Halide::Func> (*build)(Body&, const Linear&, const Knobs&, const TargetSpec&);
};
extern const Direction forward;

// The block of outputs that the forward direction wants packed.
int forward_block(const Linear& linear, const Knobs& knobs, const TargetSpec& target);

}  // namespace convoke::gemm
