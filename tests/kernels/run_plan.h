// Runs a plan as the core does, but every kernel by its ops' references: rows in order over arenas of bytes, in the
// layouts and at the places that the plan states. What make_plan means, checked without generated code.
#pragma once

#include <map>
#include <vector>

#include "compiler/kernels/plan.h"
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
  std::vector<int64_t> storage_extents(const PlanBuffer& buffer) const;

  const Plan& plan_;
  int64_t batch_;
  std::vector<std::vector<uint8_t>> arenas_;
};

}  // namespace convoke
