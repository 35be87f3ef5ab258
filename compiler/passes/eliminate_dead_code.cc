// Marks backwards from outputs and stores, copies what is marked.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {

Graph eliminate_dead_code(const Graph& graph) {
  std::vector<bool> live = leaves_graph(graph);
  std::vector<bool> kept(graph.nodes.size());
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    kept[i] = is_source(node.op);
    for (ValueId result : node.results) kept[i] = kept[i] || live[result];
    for (ValueId input : node.inputs) live[input] = live[input] || kept[i];
  }
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (kept[i]) rewrite.copy(static_cast<NodeId>(i));
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
