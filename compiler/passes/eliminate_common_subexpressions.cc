// Nodes in order, each looked up by phase, op, attributes and operands (of the graph under construction, so that equal
// chains unite from their beginnings).
#include <tuple>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {

Graph eliminate_common_subexpressions(const Graph& graph) {
  const std::vector<bool> leaves = leaves_graph(graph);
  std::map<std::tuple<Phase, std::string, Attrs, std::vector<ValueId>>, const Node*> first;
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    bool unites = !is_source(node.op);
    for (ValueId result : node.results) unites = unites && !leaves[result];
    if (is_source(node.op)) {
      rewrite.copy(static_cast<NodeId>(i));
      continue;
    }
    const auto [found, is_new] = first.try_emplace({node.phase, node.op, node.attrs, rewrite[node.inputs]}, &node);
    if (is_new || !unites) {
      rewrite.copy(static_cast<NodeId>(i));
      continue;
    }
    for (size_t r = 0; r < node.results.size(); ++r) {
      rewrite.replace(node.results[r], rewrite[found->second->results[r]]);
    }
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
