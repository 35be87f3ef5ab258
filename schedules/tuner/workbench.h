// A kernel alone as a library: one inference call runs it once, or once for each of several copies of its weights, so
// that none of them is in the cache when it is read, as in a network.
#pragma once

#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/kernels/plan.h"

namespace convoke {

// What a kernel's weights are in memory before it runs, and whether a step packs them anew.
struct WeightStorage {
  // By input; empty: a forward kernel's, which are stored as its schedule wishes. Transformed ones, as inference stores
  // those with a batch norm folded in, are made of untransformed ones.
  std::vector<Layout> layouts;
  bool packed_in_step = false;  // a training step packs again where a schedule wishes for another layout: that counts
};

struct Workbench {
  Plan plan;
  ModelDescription description;
  int copies = 1;
};

// `planned` with the layouts that `instance` wishes for its operands without a batch, else as they are stored.
Kernel lay_out(const Kernel& planned, const WeightStorage& storage, const Instance& instance);

// For calls of n samples of a kernel that is laid out. Inputs with a batch are the library's inputs, the others its
// parameters (copy by copy), packed where they are stored in another layout.
Result<Workbench> make_workbench(const PlanKernel& kernel, const WeightStorage& storage, int64_t n,
                                 const TargetSpec& target);

// How many copies it has.
int workbench_copies(const Kernel& kernel, int64_t n);

// The same numbers for every schedule of a kernel: input number `input` of the kernel, logical order, n samples.
// Vectors are positive, as variances must be; integers are 0 or 1, as labels and places in a window may be.
std::vector<float> input_values(const Kernel& kernel, int input, int64_t n);

}  // namespace convoke
