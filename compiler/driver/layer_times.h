// Times of kernels summed by the layers of the model definition.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/compile_model.h"
#include "compiler/driver/profile.h"

namespace convoke {

// The layer that a kernel is counted to: that of its weight (a convolution into which a batch norm was folded is named
// as the norm), else of its first node. Fused layers are counted to it. Empty: none, as of the loss or the update.
std::string layer_of(const PlannedModel& planned, const PlanRow& row);

struct LayerTime {
  std::string name, op;                           // op: empty for "loss" and "update", which are no layers
  Spent forward, data_gradient, weight_gradient;  // weight: what writes gradients of parameters, biases too
  Spent sum() const;
};

// In the model's order, each layer once; fused ones took no time of their own. Then what is no layer's and took some.
std::vector<LayerTime> layer_times(const PlannedModel& planned, const std::vector<RowTime>& rows);

}  // namespace convoke
