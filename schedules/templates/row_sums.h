// Sums of a convolution's rows on the way, for the batch normalisation behind it (compiler/ops/row_sums.cc): a pass
// over what the convolution makes would read all of it from memory again.
//
// They add up where they lie in the end, all pixels of a row at one place: their buffers' stride along x is 0. Halide
// takes the places for as many as there are pixels. So a row must be of one task, and its pixels in order.
#pragma once

#include "Halide.h"

namespace convoke {

// (result, first, sums, squares) over (c,x,y,n), of rows of w pixels. The schedule keeps `side_by_side` pixels in
// registers: first changes at their first one, the sums at their last one only.
Halide::Func with_row_sums(const Halide::Func& result, int w, int side_by_side);

// The loops that make an output: of one with sums they are those of an update.
Halide::Stage loops_of(Halide::Func& out);

// A Tuple's elements are stored together. Those that stay what they are need not be, which LLVM does not see through
// prefetches.
void drop_unchanged_stores(Halide::Pipeline& pipeline);

}  // namespace convoke
