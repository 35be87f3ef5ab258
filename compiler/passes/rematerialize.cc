// A forward value is recomputed for its backward readers when elementwise nodes lead to it from values that live until
// the backward pass anyway: sources, vectors without a batch, and values that backward nodes read and that are not
// recomputed themselves. What several forward nodes read, a block's sum in a residual network, makes chains, and all
// that is recomputed of a chain lives at the same time: after kLongestChain of them the next one is kept. Chen et al.,
// "Training Deep Nets with Sublinear Memory Cost" (2016), in its cheapest form.
#include <algorithm>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

constexpr int kLongestChain = 3;
constexpr int kNoChain = 1 << 20;  // other nodes than elementwise ones lead to the value

struct Plan {
  std::vector<bool> kept;        // lives until the backward pass
  std::vector<bool> recomputed;  // is read by it, and recomputed for it
};

bool is_forward_value(const Graph& graph, ValueId value) {
  return !graph.is_source_value(value) && graph.node_of(value).phase == Phase::kForward;
}

struct Readers {
  int forward = 0, backward = 0;
};

Readers count_readers(const Graph& graph, const std::vector<NodeId>& readers) {
  Readers count;
  for (NodeId reader : readers) {
    count.forward += graph.nodes[reader].phase == Phase::kForward;
    count.backward += graph.nodes[reader].phase == Phase::kBackward;
  }
  return count;
}

Plan make_plan(const Graph& graph) {
  const std::vector<std::vector<NodeId>> readers = users(graph);
  const std::vector<bool> leaves = leaves_graph(graph), none(graph.values.size());
  Plan plan{.kept = none, .recomputed = none};
  // How many shared values are recomputed on the way from kept ones to each, itself included. In order: what a value
  // may be recomputed from is decided before it.
  std::vector<int> chain(graph.values.size(), 0);
  for (ValueId value = 0; value < static_cast<ValueId>(graph.values.size()); ++value) {
    if (!is_forward_value(graph, value) || !graph.type(value).has_batch()) continue;
    const Node& node = graph.node_of(value);
    const auto [forward, backward] = count_readers(graph, readers[value]);
    if (op_of(node).traits.elementwise && node.results.size() == 1) {
      for (ValueId operand : node.inputs) chain[value] = std::max(chain[value], chain[operand]);
      chain[value] = std::min(chain[value] + (forward > 1 ? 1 : 0), kNoChain);
    } else {
      chain[value] = kNoChain;
    }
    if (backward == 0) continue;
    plan.recomputed[value] = forward > 0 && !leaves[value] && chain[value] <= kLongestChain;
    plan.kept[value] = !plan.recomputed[value];
    if (plan.kept[value]) chain[value] = 0;
  }
  return plan;
}

class Rematerializer {
 public:
  explicit Rematerializer(const Graph& graph)
      : graph_(graph), plan_(make_plan(graph)), rewrite_(graph), again_(graph.values.size(), kNoValue) {}

  Graph run() && {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      std::vector<ValueId> operands = rewrite_[node.inputs];
      for (size_t k = 0; k < operands.size() && node.phase == Phase::kBackward; ++k) {
        if (plan_.recomputed[node.inputs[k]]) operands[k] = compute_again(node.inputs[k]);
      }
      rewrite_.copy(static_cast<NodeId>(i), operands);
    }
    return std::move(rewrite_).finish();
  }

 private:
  ValueId compute_again(ValueId value) {
    ValueId& again = again_[value];
    if (again != kNoValue) return again;
    if (!is_forward_value(graph_, value) || plan_.kept[value] || !graph_.type(value).has_batch()) {
      return again = rewrite_[value];
    }
    const Node& node = graph_.node_of(value);
    std::vector<ValueId> operands;
    for (ValueId operand : node.inputs) operands.push_back(compute_again(operand));
    rewrite_.builder.set_phase(Phase::kBackward);
    return again_[value] = rewrite_.builder.add1(graph_.values[value].name + ".again", node.op, operands, node.attrs);
  }

  const Graph& graph_;
  Plan plan_;
  Rewrite rewrite_;
  std::vector<ValueId> again_;  // by value: its copy in the backward pass
};

}  // namespace

Graph rematerialize(const Graph& graph) { return Rematerializer(graph).run(); }

}  // namespace convoke
