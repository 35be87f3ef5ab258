#include "compiler/frontend/summary.h"

#include <set>

#include "compiler/ops/op.h"

namespace convoke {
namespace {

// Work counts multiply-adds where weights have the product's size: convolutions and linear layers.
int64_t multiply_adds(const Graph& graph, const Node& node) {
  bool has_weights = false;
  for (ValueId input : node.inputs)
    has_weights |= graph.node_of(input).op == "parameter" && graph.type(input).rank() > 1;
  const Traits& traits = op_of(node).traits;
  return has_weights && traits.work != nullptr ? traits.work(view(graph, node)) : 0;
}

}  // namespace

ModelSummary summarize(const Graph& graph) {
  ModelSummary summary{.name = graph.name};
  std::set<ValueId> counted;
  for (const Node& node : graph.nodes) {
    if (node.op == "input") summary.inputs.push_back(graph.type(node.results[0]));
    if (is_source(node.op)) continue;
    LayerSummary layer{graph.values[node.results[0]].name, node.op, {}, graph.type(node.results[0])};
    for (ValueId input : node.inputs) {
      const std::string& op = graph.node_of(input).op;
      if (op == "parameter") {
        if (counted.insert(input).second) layer.parameters += graph.type(input).elems();
      } else if (op != "state") {
        layer.inputs.push_back(graph.type(input));
      }
    }
    layer.multiply_adds = multiply_adds(graph, node);
    summary.parameters += layer.parameters;
    summary.multiply_adds += layer.multiply_adds;
    summary.layers.push_back(std::move(layer));
  }
  for (ValueId output : graph.outputs) summary.outputs.push_back(graph.type(output));
  return summary;
}

}  // namespace convoke
