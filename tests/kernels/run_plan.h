// Runs a plan as the core does, but every kernel by its ops' references: rows in order, bands in turns, over arenas of
// bytes, in the layouts and at the places that the plan states. What make_plan means, checked without generated code.
#pragma once

#include <map>
#include <vector>

#include "compiler/kernels/plan.h"
#include "compiler/ops/interpreter.h"
#include "compiler/ops/tensor.h"

namespace convoke {

class PlanRunner {
 public:
  // `batch` samples a call, 1 to plan.capacity. Arenas start as NaN, so that reading what nobody wrote shows; weights,
  // gradients and moments as zero.
  PlanRunner(const Plan& plan, int64_t batch);

  void run(convoke_program program);
  void set(int buffer, const Tensor& logical);
  void set_scalar(core::Scalar scalar, float value);
  // Also checks that padding is zero.
  Tensor get(int buffer) const;

 private:
  void run_row(const PlanRow& row);
  int64_t place(const PlanBuffer& buffer) const;
  std::vector<int64_t> storage_extents(const PlanBuffer& buffer) const;

  const Plan& plan_;
  int64_t batch_;
  int64_t first_ = 0, count_ = batch_;  // the samples of a turn
  std::vector<std::vector<uint8_t>> arenas_;
};

// Float32 in every buffer, double inside kernels: a few roundings of values around one.
void check_near(const Tensor& found, const Tensor& expected, double tolerance = 1e-5);

void set_weights(const Plan& plan, const Environment& sources, PlanRunner& runner);

// Inference by the plan against the interpreter's.
void check_inference(const Plan& plan, const Graph& graph, int64_t batch);

}  // namespace convoke
