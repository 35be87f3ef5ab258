// Ioffe and Szegedy, "Batch Normalization" (2015): training normalises by the batch's moments and keeps running
// averages of them, the variance's made unbiased as PyTorch does. A layer that is used twice averages twice, in order.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

constexpr double kDefaultMomentum = 0.1;

// The running statistics' values so far, by the old graph's state.
using Latest = std::map<ValueId, ValueId>;

void add_average(const Graph& graph, ValueId state, ValueId value, ValueId x, int64_t count_per_sample,
                 Rewrite& rewrite, Latest& latest) {
  const Attrs& attrs = graph.node_of(state).attrs;
  const double momentum = attrs.contains("momentum") ? attr_float(attrs, "momentum") : kDefaultMomentum;
  const ValueId running = latest.emplace(state, rewrite[state]).first->second;
  latest[state] = rewrite.builder.add1(graph.values[state].name + ".updated", "running_average", {running, value, x},
                                       {{"count_per_sample", count_per_sample}, {"momentum", momentum}});
}

void add_training_form(const Graph& graph, const Node& node, Rewrite& rewrite, Latest& latest) {
  const std::vector<ValueId> operands = rewrite[node.inputs];
  const auto& dims = graph.type(node.inputs[0]).dims;
  rewrite.builder.set_phase(node.phase);
  const std::vector<ValueId> results = rewrite.builder.add(graph.values[node.results[0]].name, "batch_norm2d_train",
                                                           {operands[0], operands[1], operands[2]}, node.attrs);
  rewrite.replace(node.results[0], results[0]);
  add_average(graph, node.inputs[3], results[1], operands[0], 0, rewrite, latest);
  add_average(graph, node.inputs[4], results[2], operands[0], dims[1] * dims[2], rewrite, latest);
}

}  // namespace

Graph train_batch_norm(const Graph& graph) {
  Rewrite rewrite(graph);
  Latest latest;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool normalises = node.op == ops::batch_norm2d.name;
    if (normalises && graph.node_of(node.inputs[3]).op == "state" && graph.node_of(node.inputs[4]).op == "state") {
      add_training_form(graph, node, rewrite, latest);
    } else {
      rewrite.copy(static_cast<NodeId>(i));
    }
  }
  for (const auto& [state, value] : latest) rewrite.builder.store(rewrite[state], value);
  return std::move(rewrite).finish();
}

}  // namespace convoke
