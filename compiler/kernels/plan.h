// Plan: the whole network as rows of kernels over buffers at fixed places. What codegen emits and the core walks; its
// text form is the plan dump and the committed snapshot.
#pragma once

#include <string>
#include <vector>

#include "compiler/kernels/instance.h"
#include "compiler/kernels/kernel.h"
#include "runtime/core/plan.h"

namespace convoke {

struct PlanBuffer {
  std::string name;  // the value's
  Type type;
  Layout layout;
  core::Arena arena;
  int64_t offset_bytes = 0;  // multiple of 64
  int64_t samples = 0;       // with a batch: room for so many, the capacity or those of the band that it lives in
};

struct PlanKernel {
  Kernel kernel;  // with final layouts
  Instance instance;
};

struct PlanRow {
  std::string name;  // layers joined by '+'
  convoke_program program;
  int kernel;                // index into Plan::kernels
  std::vector<int> buffers;  // inputs, then outputs
};

// Rows that run for a few samples at a time (bands.h).
struct PlanBand {
  int first_row, end_row;
  int64_t samples;
};

struct FusedName {
  std::string name;
  int row;
};

struct Plan {
  std::string model;
  int64_t capacity = 1;
  std::vector<PlanBuffer> buffers;
  std::vector<PlanKernel> kernels;  // unique
  std::vector<PlanRow> rows;        // sorted by program, in order
  std::vector<PlanBand> bands;      // in order
  std::vector<FusedName> fused_names;
  std::vector<int64_t> arena_bytes = std::vector<int64_t>(core::kArenaCount);
  int64_t inference_activation_bytes = 0;
  int64_t activation_lower_bound_bytes = 0;  // the largest live set after in-place merging
  std::vector<int> infer_inputs, infer_outputs, train_inputs, train_outputs, output_gradients;
  int labels = -1, loss = -1, accuracy = -1, gradient_sum_squares = -1;
  std::vector<int> parameters, gradients, states;
  std::vector<std::vector<int>> moments;  // [moment][parameter]
  std::vector<std::string> moment_names;
};

// The band that a row belongs to; null: none.
const PlanBand* band_of(const Plan& plan, int row);
// A call of `capacity` samples runs a row for so many of them, so many times.
int64_t samples_at_a_time(const Plan& plan, int row);
int64_t turns(const Plan& plan, int row);

std::string print(const Plan& plan);

}  // namespace convoke
