// Training by the reference interpreter, in double: what compiled libraries are compared with.
#pragma once

#include "compiler/autodiff/update.h"
#include "compiler/ops/interpreter.h"
#include "runtime/core/convoke.h"

namespace convoke {

using Inputs = std::vector<Tensor>;  // in the model's order

class ReferenceTrainer {
 public:
  // `training`: a graph of differentiate(); `weights`: tensors of its parameters and states; `rounding`: interpret()'s.
  ReferenceTrainer(const Graph& training, const OptimizerOptions& optimizer, Environment weights,
                   Rounding rounding = {});

  // All values of the graph. The running statistics are stored, and the gradients kept for update(). `step`: as in
  // convoke.h.
  Environment forward_backward(const Inputs& inputs, const Tensor& labels, const convoke_step& step = {0, 1, 0});
  void update(double learning_rate, int64_t step);

  // Parameters, states, gradients under their names of the graph.
  const Environment& sources() const { return sources_; }

 private:
  Tensor flat(const std::string& suffix) const;

  const Graph& training_;
  Graph update_;
  std::vector<std::string> parameters_;  // that are trained, in the order of the update's flat arenas
  uint64_t passes_ = 0;
  Environment sources_, update_sources_;
  Rounding rounding_;
};

}  // namespace convoke
