// Reverse-mode differentiation: from a forward graph in training mode (passes/) to the training graph with loss,
// metrics and gradients.
#pragma once

#include <string>

#include "compiler/ir/graph.h"
#include "runtime/base/status.h"

namespace convoke {

struct TrainingOptions {
  double label_smoothing = 0;
  std::string freeze;  // regular expression; parameters whose whole name matches get no gradient
};

// `forward` has outputs f32[n,k] (the logits) and no node outside Phase::kForward. The result has
//   inputs     labels i32[n], loss_scale and accumulate f32[] beside the forward graph's
//   kLoss      %loss: the sum over outputs of the mean cross entropy; %accuracy of the first output;
//              %<output>.grad = loss_scale · dloss/doutput, where backward() starts
//   kBackward  %<parameter>.grad of every parameter that is not frozen: a state of arena "gradients", stored
//              accumulate ? old + gradient : gradient
//   outputs    the forward graph's, then loss and accuracy
// and keeps the forward graph's stores. Errors: an output that is no f32[n,k]; a value with one of the names
// above; an op without derivative on a path to a parameter; nothing to train.
Result<Graph> differentiate(const Graph& forward, const TrainingOptions& options);

}  // namespace convoke
