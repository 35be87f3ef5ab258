// The update phase: the optimizer as one pass over the flat arenas of parameters, gradients and moments.
#pragma once

#include "compiler/ir/graph.h"

namespace convoke {

// PyTorch's names and defaults (torch.optim.SGD, Adam, AdamW).
struct OptimizerOptions {
  enum Kind { kSgd, kAdam, kAdamW } kind = kSgd;
  double momentum = 0.9;  // SGD
  bool nesterov = false;
  double weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // Adam, AdamW
};

// States f32[elems] named as their arenas: parameters, gradients, and momentum or exp_avg and exp_avg_sq. Run-time
// scalars learning_rate, gradient_scale and (Adam) step. Output gradient_sum_squares: of the gradients before scaling.
Graph update_graph(const OptimizerOptions& options, int64_t elems);

}  // namespace convoke
