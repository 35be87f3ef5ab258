// batch_norm2d(conv2d(x, w, b)) = conv2d(x, w·s, bias + (b − mean)·s), s = weight/√(variance + ε) of the output
// channel.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

constexpr NodeId kNone = -1;

bool are_sources(const Graph& graph, const Node& node, size_t first) {
  for (size_t i = first; i < node.inputs.size(); ++i) {
    if (!graph.is_source_value(node.inputs[i]) || graph.type(node.inputs[i]).has_batch()) return false;
  }
  return true;
}

// For each node the convolution that it folds into, or kNone.
std::vector<NodeId> find_folds(const Graph& graph) {
  const std::vector<std::vector<NodeId>> readers = users(graph);
  const std::vector<bool> leaves = leaves_graph(graph);
  std::vector<NodeId> folds(graph.nodes.size(), kNone);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& norm = graph.nodes[i];
    if (norm.op != ops::batch_norm2d.name) continue;
    const ValueId x = norm.inputs[0];
    const Node& conv = graph.node_of(x);
    if (conv.op != ops::conv2d.name || readers[x].size() != 1 || leaves[x]) continue;
    if (are_sources(graph, norm, 1) && are_sources(graph, conv, 1)) folds[i] = graph.values[x].node;
  }
  return folds;
}

ValueId add_folded(const Graph& graph, const Node& norm, const Node& conv, Rewrite& rewrite) {
  const std::string& name = graph.values[conv.results[0]].name;
  const ValueId weight = rewrite[norm.inputs[1]], bias = rewrite[norm.inputs[2]];
  const ValueId mean = rewrite[norm.inputs[3]], variance = rewrite[norm.inputs[4]];
  std::vector<ValueId> bias_operands = {weight, bias, mean, variance};
  if (conv.inputs.size() == 3) bias_operands.push_back(rewrite[conv.inputs[2]]);
  rewrite.builder.set_phase(Phase::kPrepare);
  const ValueId folded_weight = rewrite.builder.add1(name + ".folded_weight", "batch_norm_fold_weights",
                                                     {rewrite[conv.inputs[1]], weight, variance}, norm.attrs);
  const ValueId folded_bias =
      rewrite.builder.add1(name + ".folded_bias", "batch_norm_fold_bias", bias_operands, norm.attrs);
  rewrite.builder.set_phase(norm.phase);
  return rewrite.builder.add1(graph.values[norm.results[0]].name, conv.op,
                              {rewrite[conv.inputs[0]], folded_weight, folded_bias}, conv.attrs);
}

}  // namespace

Graph fold_batch_norm(const Graph& graph) {
  const std::vector<NodeId> folds = find_folds(graph);
  std::vector<bool> folded(graph.nodes.size());
  for (NodeId conv : folds) {
    if (conv != kNone) folded[conv] = true;
  }
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (folded[i]) continue;
    const Node& node = graph.nodes[i];
    if (folds[i] == kNone) {
      rewrite.copy(static_cast<NodeId>(i));
    } else {
      rewrite.replace(node.results[0], add_folded(graph, node, graph.nodes[folds[i]], rewrite));
    }
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
