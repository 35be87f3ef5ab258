// From the graphs to the plan: schedule each, place the parameters, give every value a buffer, plan the memory.
#pragma once

#include <functional>
#include <string>

#include "compiler/kernels/plan.h"
#include "compiler/kernels/schedule.h"

namespace convoke {

struct PlanRequest {
  std::string model;
  int64_t capacity = 1;
  const Graph* inference = nullptr;            // after its passes
  const Graph* training = nullptr;             // after autodiff and its passes; null: inference only
  std::function<Graph(int64_t elems)> update;  // over flat arenas of so many f32; with `training` only
  Lookup lookup;
  int64_t vector_lanes = 0;  // of the target: where the capacity is whole vectors of images, activations may lie so
  int64_t cache_bytes = 0;   // what activations of inference are to stay in (bands.h); 0: no matter
  Keep keep;                 // of the inference and the training graph; none: fuse all that can be
};

Result<Plan> make_plan(const PlanRequest& request);

}  // namespace convoke
