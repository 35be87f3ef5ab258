// Kernels whose activations lie in blocks of images, a vector each. Sums over such a batch: each lane sums its images,
// a constant number of chunks of the blocks' rows is summed apart, and lanes and chunks are added up in order, so that
// nothing depends on threads.
#pragma once

#include "schedules/templates/body.h"

namespace convoke {

// All activations do, in blocks of the target's vectors.
bool lies_in_blocks(const Kernel& kernel, const TargetSpec& target);

// The rows of chunk `chunk`: row y of block b is number b·h + y. A condition keeps to the rows that exist.
struct BlockRows {
  Halide::RDom r;
  Halide::Expr row;
};
BlockRows block_rows(const Body& body, int h, const Halide::Expr& chunk, int chunks);

// Of sums(lane, …, chunk): (…), computed at the root.
Halide::Func add_lanes(const Halide::Func& sums, int images, int chunks);

}  // namespace convoke
