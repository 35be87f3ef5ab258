// Partition: which nodes become one kernel. A node that is not elementwise anchors a kernel; an elementwise node joins
// the kernel that makes one of its operands of its own shape, when nobody else reads that operand, together with the
// elementwise nodes that make others of these; what remains is pointwise. A max-pooling whose places nobody reads, or
// row_sums, joins the convolution before it where a schedule computes both.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/kernels/kernel.h"

namespace convoke {

struct KernelCall {
  std::string name;  // its nodes' results joined by '+'
  Phase phase;
  Kernel kernel;                 // plain layouts
  std::vector<ValueId> inputs;   // of the graph, as kernel.inputs
  std::vector<ValueId> outputs;  // as kernel.body.outputs
  std::vector<ValueId> fused;    // values that live in the kernel only
};

// Values, by name, that must exist in memory: no kernel computes them on its way to something else.
using Keep = std::function<bool(const std::string& name)>;

// Whether a schedule computes a kernel with a max-pooling or row_sums behind its anchor.
using ComputesBoth = std::function<bool(const Kernel& kernel)>;

// In an order in which they can run, phases in order. The graph has no dead code.
std::vector<KernelCall> partition(const Graph& graph, const Keep& keep = {}, const ComputesBoth& computes_both = {});

}  // namespace convoke
