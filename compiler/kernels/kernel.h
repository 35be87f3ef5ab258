// Kernel: an anchor op with the elementwise work around it and perhaps a max-pooling or row sums behind, the unit that
// is scheduled, compiled, tuned and timed. Its body is a graph of its own; its key is that graph's text with canonical
// names, so equal kernels of any networks share one key.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/kernels/layout.h"

namespace convoke {

inline constexpr NodeId kNoAnchor = -1, kNoPooling = -1, kNoRowSums = -1;

struct Kernel {
  Graph body;                    // sources are `input` nodes a0, a1, …; nodes v0, v1, …; in topological order
  NodeId anchor = kNoAnchor;     // the first node of `body` that is not elementwise; none: a pointwise kernel
  NodeId pooling = kNoPooling;   // the second: a max_pool2d of what a convolution makes
  NodeId row_sums = kNoRowSums;  // or row_sums of it; the outputs are then the convolution's and these
  std::vector<ValueId> inputs;   // of the body, in argument order
  std::vector<Layout> input_layouts;
  std::vector<Layout> output_layouts;  // as body.outputs
};

// Of a body whose sources are in argument order; plain layouts.
Kernel kernel_of(Graph body);

// Ops, attributes, shapes, dtypes and layouts; no batch size, no names of the network.
std::string kernel_key(const Kernel& kernel);
// The inverse, for tuned entries and tests.
Result<Kernel> parse_kernel(std::string_view key);

// How many images lie in a block of the activations that it reads or writes; 0: all are plain.
int64_t image_block(const Kernel& kernel);
// The kernel with every image f32[n,h,w,c] that it reads or writes in blocks of so many.
Kernel in_image_blocks(Kernel kernel, int64_t images);

// May this input's memory be this output's? True when every read of the input is at the element that is written, by the
// node that makes the output or by one before it. Templates keep to it: every output element is computed exactly once
// (TailStrategy::GuardWithIf or Predicate, never ShiftInwards).
bool may_alias(const Kernel& kernel, int input, int output);

// Multiply-adds ×2 and bytes moved, per sample and per call.
struct Cost {
  int64_t flops_per_sample = 0, flops_per_call = 0;
  int64_t bytes_per_sample = 0, bytes_per_call = 0;
};
Cost cost(const Kernel& kernel);

// Estimated nanoseconds on one core of some machine: max(flops / 50 GFLOP/s, bytes / 10 GB/s); decides inline or
// parallel.
struct Work {
  int64_t ns_per_sample = 0, ns_per_call = 0;
};
Work estimated_work(const Kernel& kernel);

// Wraps one op of plain inputs as a kernel: for tests and pack rows.
Kernel single_op_kernel(std::string_view op, const Attrs& attrs, const std::vector<Type>& inputs);

}  // namespace convoke
