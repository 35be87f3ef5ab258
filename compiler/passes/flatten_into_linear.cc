// A linear's weight is in PyTorch's order of the flattened image, and a linear over an image reads it in that order:
// the flatten between them moves memory for nothing. It becomes dead code.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {

Graph flatten_into_linear(const Graph& graph) {
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::vector<ValueId> operands = rewrite[node.inputs];
    if (node.op == ops::linear.name) {
      const Node& producer = graph.node_of(node.inputs[0]);
      if (producer.op == ops::flatten.name) operands[0] = rewrite[producer.inputs[0]];
    }
    rewrite.copy(static_cast<NodeId>(i), operands);
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
