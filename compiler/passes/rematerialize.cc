// A forward value is recomputed for its backward readers when elementwise nodes lead to it from values that live until
// the backward pass anyway: sources, vectors without a batch, and values that backward nodes read and that are not
// recomputed themselves. What several forward nodes read, a block's sum in a residual network, is no step on that way:
// of a chain of such sums every second one is kept, so that each is recomputed in one pass. Chen et al., "Training Deep
// Nets with Sublinear Memory Cost" (2016), in its cheapest form.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

struct Plan {
  std::vector<bool> kept;        // lives until the backward pass
  std::vector<bool> recomputed;  // is read by it, and recomputed for it
  std::vector<bool> shared;      // several forward nodes read it
};

bool is_forward_value(const Graph& graph, ValueId value) {
  return !graph.is_source_value(value) && graph.node_of(value).phase == Phase::kForward;
}

// Whether elementwise nodes lead to `value` from kept values.
bool can_recompute(const Graph& graph, const Plan& plan, ValueId value) {
  const Node& node = graph.node_of(value);
  if (!op_of(node).traits.elementwise || node.results.size() != 1) return false;
  for (ValueId operand : node.inputs) {
    if (!is_forward_value(graph, operand) || plan.kept[operand] || !graph.type(operand).has_batch()) continue;
    if (plan.shared[operand] || !can_recompute(graph, plan, operand)) return false;
  }
  return true;
}

Plan make_plan(const Graph& graph) {
  const std::vector<std::vector<NodeId>> readers = users(graph);
  const std::vector<bool> leaves = leaves_graph(graph);
  const std::vector<bool> none(graph.values.size());
  Plan plan{.kept = none, .recomputed = none, .shared = none};
  // In order: what a value may be recomputed from is decided before it.
  for (ValueId value = 0; value < static_cast<ValueId>(graph.values.size()); ++value) {
    if (!is_forward_value(graph, value)) continue;
    int forward = 0, backward = 0;
    for (NodeId reader : readers[value]) {
      forward += graph.nodes[reader].phase == Phase::kForward;
      backward += graph.nodes[reader].phase == Phase::kBackward;
    }
    plan.shared[value] = forward > 1;
    if (backward == 0) continue;
    plan.recomputed[value] =
        graph.type(value).has_batch() && forward > 0 && !leaves[value] && can_recompute(graph, plan, value);
    plan.kept[value] = !plan.recomputed[value];
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
