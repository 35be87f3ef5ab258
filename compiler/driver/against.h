// Convolutions and linear layers, one by one, beside oneDNN: each alone, in turns, on the same numbers, hot (with one
// sample: its weights cold).
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/compile_model.h"
#include "compiler/driver/workload.h"

namespace convoke {

struct LayerAgainst {
  std::string layer;
  const char* direction;  // "forward", "data gradient", "weight gradient"
  std::string schedule;
  double ms, onednn_ms;  // lower quartiles of a call
  double difference;     // of the results, relative to the largest element
};

// Of what an inference call or a training step computes, in order. What is fused with a layer and oneDNN cannot fuse is
// left out on both sides: all but a forward layer's bias, addition and ReLU. An error when results differ by more than
// rounding. `seconds`: how long to measure a layer.
Result<std::vector<LayerAgainst>> against_onednn(const PlannedModel& planned, const WorkloadOptions& work,
                                                 double seconds);

}  // namespace convoke
