// A network's layers as torchinfo counts them: shapes, parameters and multiply-adds.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/graph.h"

namespace convoke {

struct LayerSummary {
  std::string name, op;
  std::vector<Type> inputs;  // activations alone
  Type output;
  int64_t parameters = 0;     // a parameter of several layers counts for the first
  int64_t multiply_adds = 0;  // per sample, of convolutions and linear layers
};

struct ModelSummary {
  std::string name;
  std::vector<Type> inputs, outputs;
  std::vector<LayerSummary> layers;
  int64_t parameters = 0;
  int64_t multiply_adds = 0;
};

// Of an inference graph as import makes it.
ModelSummary summarize(const Graph& graph);

}  // namespace convoke
