// relu_backward(max_pool2d_backward(dp, place), z) = max_pool2d_backward(relu_backward(dp, p), place) with
// p, place = max_pool2d(z): a window's gradient goes to its maximum, and the maximum is p. The mask is then one of
// fewer values, often in the epilogue of the kernel that makes dp, and z, the largest value around, need not live until
// then.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

constexpr NodeId kNone = -1;

// For each node, if it is a relu_backward whose gradient comes through a pooling of its output, that pooling's
// backward.
std::vector<NodeId> find_unpoolings(const Graph& graph) {
  const std::vector<std::vector<NodeId>> readers = users(graph);
  const std::vector<bool> leaves = leaves_graph(graph);
  std::vector<NodeId> unpoolings(graph.nodes.size(), kNone);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& mask = graph.nodes[i];
    if (mask.op != ops::relu_backward.name) continue;
    const ValueId gradient = mask.inputs[0];
    const Node& unpooling = graph.node_of(gradient);
    if (unpooling.op != ops::max_pool2d_backward.name || readers[gradient].size() != 1 || leaves[gradient]) continue;
    const Node& pooling = graph.node_of(unpooling.inputs[1]);
    if (pooling.op == ops::max_pool2d.name && pooling.inputs[0] == mask.inputs[1]) {
      unpoolings[i] = graph.values[gradient].node;
    }
  }
  return unpoolings;
}

ValueId add_masked(const Graph& graph, const Node& mask, const Node& unpooling, Rewrite& rewrite) {
  const std::string& name = graph.values[mask.results[0]].name;
  const ValueId dp = unpooling.inputs[0], place = unpooling.inputs[1];
  const ValueId maximum = graph.node_of(place).results[0];
  rewrite.builder.set_phase(mask.phase);
  const ValueId masked = rewrite.builder.add1(name + ".pooled", mask.op, {rewrite[dp], rewrite[maximum]});
  return rewrite.builder.add1(name, unpooling.op, {masked, rewrite[place]}, unpooling.attrs);
}

}  // namespace

Graph mask_pooled_gradients(const Graph& graph) {
  const std::vector<NodeId> unpoolings = find_unpoolings(graph);
  std::vector<bool> replaced(graph.nodes.size());
  for (NodeId unpooling : unpoolings) {
    if (unpooling != kNone) replaced[unpooling] = true;
  }
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (replaced[i]) continue;
    const Node& node = graph.nodes[i];
    if (unpoolings[i] == kNone) {
      rewrite.copy(static_cast<NodeId>(i));
    } else {
      rewrite.replace(node.results[0], add_masked(graph, node, graph.nodes[unpoolings[i]], rewrite));
    }
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
