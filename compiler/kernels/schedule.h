// A graph as kernels with their schedules and layouts: partition, lookup, then layout assignment, which inserts pack
// calls where a kernel wants a value in another layout than the one it is stored in.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/kernels/instance.h"
#include "compiler/kernels/partition.h"

namespace convoke {

// For calls of at most so many samples.
using Lookup = std::function<Result<Instance>(const Kernel&, int64_t samples)>;
using LayoutMap = std::map<std::string, Layout, std::less<>>;  // by parameter name; absent: plain

inline constexpr int kNoBand = -1;

// A value of the graph, or (from graph.values.size() on) a packed copy of one.
using OperandId = int;

struct ScheduledCall {
  std::string name;
  Phase phase;
  Kernel kernel;  // with its final layouts
  Instance instance;
  std::vector<OperandId> inputs, outputs;
  std::vector<ValueId> fused;
  int band = kNoBand;  // index into ScheduledGraph::bands
};

struct PackedCopy {
  ValueId of;
  Layout layout;
};

struct ScheduledGraph {
  const Graph* graph;
  int64_t capacity;
  std::vector<ScheduledCall> calls;
  std::vector<int64_t> bands;   // samples at a time (bands.h)
  std::vector<Layout> layouts;  // by ValueId
  std::vector<PackedCopy> copies;

  bool is_copy(OperandId operand) const { return operand >= static_cast<int>(graph->values.size()); }
  ValueId value_of(OperandId operand) const;  // of a copy: what it is a copy of
  const Layout& layout(OperandId operand) const;
  std::string name(OperandId operand) const;
  // An inference graph packs a weight once; a training graph packs again in each step.
  bool is_prepared_copy(OperandId operand) const;
};

// Lookup whose errors name the kernel.
Result<Instance> look_up(const Lookup& lookup, const std::string& name, const Kernel& kernel, int64_t samples);

// Partition and lookup; layouts are still plain, but for activations in blocks of `images` images (image_layout.h).
Result<ScheduledGraph> schedule(const Graph& graph, int64_t capacity, const Lookup& lookup, const Keep& keep = {},
                                int64_t images = 0);

// What the forward kernels would like their parameters to be stored as, untransformed: the first wish counts.
LayoutMap preferred_parameter_layouts(const ScheduledGraph& scheduled);

// Copies a value from one layout to another.
Kernel pack_kernel(const Type& type, const Layout& from, const Layout& to);

// Parameters as `parameters` says, their gradients likewise (state "<parameter>.grad"); values made in kPrepare as
// their first reader wishes, but not transformed; activations as schedule() has laid out the kernels that make them. A
// reader that wishes for another layout gets a packed copy, made once.
Status assign_layouts(ScheduledGraph& scheduled, const LayoutMap& parameters, const Lookup& lookup);

}  // namespace convoke
