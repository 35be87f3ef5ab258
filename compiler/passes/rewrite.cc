#include "compiler/passes/rewrite.h"

namespace convoke {

std::vector<bool> leaves_graph(const Graph& graph) {
  std::vector<bool> leaves(graph.values.size());
  for (ValueId output : graph.outputs) leaves[output] = true;
  for (const Store& store : graph.stores) leaves[store.value] = true;
  return leaves;
}

}  // namespace convoke
