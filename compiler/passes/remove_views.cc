// A flatten of what is flat already, and dropout, which outside of training does nothing. One that is an output stays,
// for its name.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {

Graph remove_views(const Graph& graph) {
  const std::vector<bool> leaves = leaves_graph(graph);
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool changes_nothing =
        node.op == ops::dropout.name ||
        (node.op == ops::flatten.name && graph.type(node.inputs[0]) == graph.type(node.results[0]));
    if (changes_nothing && !leaves[node.results[0]]) {
      rewrite.replace(node.results[0], rewrite[node.inputs[0]]);
    } else {
      rewrite.copy(static_cast<NodeId>(i));
    }
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
