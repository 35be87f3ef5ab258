// batch_norm2d_train(x, w, b) = batch_norm2d(x, w, b, mean, variance) with (mean, variance) = channel_moments(x).
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {

Graph expand_batch_norm(const Graph& graph) {
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op != ops::batch_norm2d_train.name) {
      rewrite.copy(static_cast<NodeId>(i));
      continue;
    }
    const std::string& name = graph.values[node.results[0]].name;
    std::vector<ValueId> operands = rewrite[node.inputs];
    rewrite.builder.set_phase(node.phase);
    const std::vector<ValueId> moments = rewrite.builder.add(name + ".moments", "channel_moments", {operands[0]});
    operands.insert(operands.end(), moments.begin(), moments.end());
    rewrite.replace(node.results[0], rewrite.builder.add1(name, "batch_norm2d", operands, node.attrs));
    rewrite.replace(node.results[1], moments[0]);
    rewrite.replace(node.results[2], moments[1]);
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
