// The forms of the reduce template (reduce.cc): sums over pixels (reduce_pixels.cc) and over the elements of rows
// (reduce_rows.cc). What is summed over a batch is summed in a constant number of chunks, merged in order, so that
// nothing depends on the number of threads.
#pragma once

#include "compiler/ops/reduction.h"
#include "schedules/templates/body.h"

namespace convoke {

constexpr int kChunks = 16;        // of a batch, the tasks
constexpr int kBlockVectors = 4;   // whose sums stay in registers
constexpr int kTaskElems = 16384;  // of outputs that have a batch

struct ReduceForm {
  Body& body;
  const TargetSpec& target;
};

// The rows of chunk k: row(k, r) = k·R + r for r < R, R = ⌈rows/16⌉; a condition keeps to the rows that exist.
struct ChunkRows {
  Halide::RDom r;
  Halide::Expr row;
};
ChunkRows rows_of_chunk(const Halide::Expr& rows, const Halide::Expr& chunk);

// Whether vectors that lie side by side in memory are not read one after the other: prefetchers need help then.
bool reads_in_pieces(const ReduceForm& form, const Reduction& reduction);

// The results are computed at the root but for their last step, which is left to the output.
std::vector<Halide::Func> reduce_channels(const ReduceForm& form, const Reduction& reduction);

// Of means of images and of rows the output's loop over images or rows is `at`, set by the caller.
Halide::Func reduce_images(const ReduceForm& form, const Reduction& reduction, const Halide::LoopLevel& at);
Halide::Func transform_rows(const ReduceForm& form, const RowReduction& rows, const Halide::LoopLevel& at);

// Means over all rows, at the root: cross entropy and accuracy.
Halide::Func mean_of_rows(const ReduceForm& form, const RowReduction& rows);

}  // namespace convoke
