#include "compiler/kernels/partition.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/ops/op.h"

namespace convoke {
namespace {

using GroupId = int;
constexpr GroupId kNoGroup = -1;

class Partitioner {
 public:
  Partitioner(const Graph& graph, const Keep& keep, const ComputesBoth& computes_both)
      : graph_(graph),
        computes_both_(computes_both),
        users_(users(graph)),
        kept_(graph.values.size()),
        group_of_(graph.nodes.size(), kNoGroup) {
    for (const Store& store : graph.stores) kept_[store.value] = true;
    for (ValueId output : graph.outputs) kept_[output] = true;
    for (size_t v = 0; keep && v < graph.values.size(); ++v) kept_[v] = kept_[v] || keep(graph.values[v].name);
  }

  std::vector<std::vector<NodeId>> run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto node = static_cast<NodeId>(i);
      if (is_source(graph_.nodes[node].op)) continue;
      GroupId group = group_to_join(node);
      if (group == kNoGroup) group = group_to_pool(node);
      if (group == kNoGroup) group = group_to_sum(node);
      if (group == kNoGroup) {
        group = static_cast<GroupId>(groups_.size());
        groups_.emplace_back();
      }
      groups_[group].push_back(node);
      group_of_[node] = group;
      merge_operands(node);
    }
    std::erase_if(groups_, [](const std::vector<NodeId>& group) { return group.empty(); });
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (NodeId node : groups_[g]) group_of_[node] = static_cast<GroupId>(g);
    }
    return in_order();
  }

  // The group's nodes as a body with canonical names.
  KernelCall make_call(const std::vector<NodeId>& group) const {
    KernelCall call{.phase = graph_.nodes[group[0]].phase};
    const GroupId id = group_of_[group[0]];
    Builder builder = make_builder("kernel");
    std::map<ValueId, ValueId> inside;
    for (NodeId node : group) {
      for (ValueId operand : graph_.nodes[node].inputs) {
        if (group_of_[graph_.values[operand].node] == id || inside.contains(operand)) continue;
        inside[operand] = builder.input("a" + std::to_string(call.inputs.size()), graph_.type(operand));
        call.inputs.push_back(operand);
      }
    }
    for (size_t i = 0; i < group.size(); ++i) {
      const Node& node = graph_.nodes[group[i]];
      std::vector<ValueId> operands;
      for (ValueId operand : node.inputs) operands.push_back(inside.at(operand));
      const std::vector<ValueId> results = builder.add("v" + std::to_string(i), node.op, operands, node.attrs);
      call.name += (i ? "+" : "") + graph_.values[node.results[0]].name;
      for (size_t r = 0; r < results.size(); ++r) {
        const ValueId result = node.results[r];
        inside[result] = results[r];
        if (is_needed_outside(result)) {
          builder.output(results[r]);
          call.outputs.push_back(result);
        } else {
          call.fused.push_back(result);
        }
      }
    }
    call.kernel = kernel_of(std::move(builder).take());
    return call;
  }

 private:
  // Must the value exist in memory, for readers outside its group?
  bool is_needed_outside(ValueId value) const {
    const GroupId group = group_of_[graph_.values[value].node];
    return kept_[value] || std::any_of(users_[value].begin(), users_[value].end(),
                                       [&](NodeId user) { return group_of_[user] != group; });
  }

  // A max-pooling's convolution, when nobody else reads what it pools and a schedule computes both.
  GroupId group_to_pool(NodeId id) {
    const Node& node = graph_.nodes[id];
    if (!computes_both_ || node.op != ops::max_pool2d.name) return kNoGroup;
    const ValueId pooled = node.inputs[0], places = node.results[1];
    if (graph_.is_source_value(pooled) || !is_read_once(node, pooled)) return kNoGroup;
    if (kept_[places] || !users_[places].empty()) return kNoGroup;
    const GroupId group = group_of_[graph_.values[pooled].node];
    const auto is = [&](const OpDef& op) { return [&](NodeId member) { return graph_.nodes[member].op == op.name; }; };
    if (std::ranges::none_of(groups_[group], is(ops::conv2d))) return kNoGroup;
    if (std::ranges::any_of(groups_[group], is(ops::max_pool2d))) return kNoGroup;
    return join_if_computed(id, group);
  }

  // The convolution whose rows a node sums, if it has nothing else behind it.
  GroupId group_to_sum(NodeId id) {
    const Node& node = graph_.nodes[id];
    if (!computes_both_ || node.op != ops::row_sums.name || graph_.is_source_value(node.inputs[0])) return kNoGroup;
    const NodeId summed = graph_.values[node.inputs[0]].node;
    if (graph_.nodes[summed].op != ops::conv2d.name || graph_.nodes[summed].phase != node.phase) return kNoGroup;
    const GroupId group = group_of_[summed];
    return groups_[group] == std::vector{summed} ? join_if_computed(id, group) : kNoGroup;
  }

  GroupId join_if_computed(NodeId id, GroupId group) {
    std::vector<NodeId> both = groups_[group];
    both.push_back(id);
    group_of_[id] = group;
    return computes_both_(make_call(both).kernel) ? group : kNoGroup;
  }

  // The latest group that ends in an operand which this node may continue in registers, one with an anchor if there is.
  GroupId group_to_join(NodeId id) const {
    const Node& node = graph_.nodes[id];
    if (!op_of(node).traits.elementwise) return kNoGroup;
    std::pair<bool, GroupId> best = {false, kNoGroup};
    for (ValueId operand : node.inputs) {
      if (graph_.is_source_value(operand) || !continues(node, operand)) continue;
      const GroupId group = group_of_[graph_.values[operand].node];
      const std::pair candidate = {!is_pointwise(group), group};
      if (candidate > best && !others_depend_on(node, operand, group)) best = candidate;
    }
    return best.second;
  }

  bool continues(const Node& node, ValueId operand) const {
    return graph_.type(operand) == graph_.type(node.results[0]) && is_read_once(node, operand);
  }

  // The first result of a node of the same phase, read by `node` alone and once.
  bool is_read_once(const Node& node, ValueId operand) const {
    return graph_.node_of(operand).phase == node.phase && !kept_[operand] && users_[operand].size() == 1 &&
           graph_.values[operand].result == 0 && std::count(node.inputs.begin(), node.inputs.end(), operand) == 1;
  }

  // Joining would make a cycle when another operand is computed from the group.
  bool others_depend_on(const Node& node, ValueId joined, GroupId group) const {
    std::vector<bool> seen(graph_.nodes.size());
    std::vector<NodeId> open;
    for (ValueId operand : node.inputs) {
      if (operand != joined) open.push_back(graph_.values[operand].node);
    }
    while (!open.empty()) {
      const NodeId next = open.back();
      open.pop_back();
      if (seen[next] || group_of_[next] == kNoGroup) continue;  // sources depend on nothing
      if (group_of_[next] == group) return true;
      // A group runs as a whole: what any of its nodes needs, all of them wait for.
      for (NodeId member : groups_[group_of_[next]]) {
        seen[member] = true;
        for (ValueId operand : graph_.nodes[member].inputs) open.push_back(graph_.values[operand].node);
      }
    }
    return false;
  }

  // An elementwise node brings along the pointwise groups that end in its other operands: the sum of two normalised
  // values is one pass over what both are computed from. No cycle comes of it: nobody else reads those operands, and a
  // pointwise group has no other results.
  void merge_operands(NodeId id) {
    const Node& node = graph_.nodes[id];
    if (!op_of(node).traits.elementwise) return;
    for (ValueId operand : node.inputs) {
      const GroupId group = group_of_[id], other = group_of_[graph_.values[operand].node];
      if (other == kNoGroup || other == group || !continues(node, operand)) continue;
      if (is_pointwise(other)) merge(group, other);
    }
  }

  bool is_pointwise(GroupId group) const {
    return std::ranges::all_of(groups_[group],
                               [&](NodeId node) { return op_of(graph_.nodes[node]).traits.elementwise; });
  }

  void merge(GroupId group, GroupId other) {
    for (NodeId member : groups_[other]) group_of_[member] = group;
    groups_[group].insert(groups_[group].end(), groups_[other].begin(), groups_[other].end());
    groups_[other].clear();
    std::ranges::sort(groups_[group]);  // as the nodes depend on each other
  }

  // Groups sorted so that each comes after those it reads from; among the ready ones the one that starts first: a
  // weight gradient, whose accumulate stands at the graph's end, runs while its operands are warm and then frees them.
  std::vector<std::vector<NodeId>> in_order() const {
    std::vector<std::set<GroupId>> needed_by(groups_.size());
    std::vector<int> waits(groups_.size());
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (NodeId node : groups_[g]) {
        for (ValueId operand : graph_.nodes[node].inputs) {
          const GroupId from = group_of_[graph_.values[operand].node];
          const auto to = static_cast<GroupId>(g);
          if (from != kNoGroup && from != to && needed_by[from].insert(to).second) ++waits[g];
        }
      }
    }
    std::set<std::pair<NodeId, GroupId>> ready;  // by first node
    auto add_when_ready = [&](GroupId group) {
      if (waits[group] == 0) ready.insert({groups_[group].front(), group});
    };
    for (size_t g = 0; g < groups_.size(); ++g) add_when_ready(static_cast<GroupId>(g));
    std::vector<std::vector<NodeId>> order;
    while (!ready.empty()) {
      const GroupId group = ready.begin()->second;
      ready.erase(ready.begin());
      order.push_back(groups_[group]);
      for (GroupId next : needed_by[group]) {
        --waits[next];
        add_when_ready(next);
      }
    }
    ENSURE(order.size() == groups_.size()) << "kernels need each other in a cycle";
    std::stable_sort(order.begin(), order.end(),
                     [&](const auto& a, const auto& b) { return graph_.nodes[a[0]].phase < graph_.nodes[b[0]].phase; });
    return order;
  }

  const Graph& graph_;
  const ComputesBoth& computes_both_;
  std::vector<std::vector<NodeId>> users_;
  std::vector<bool> kept_;  // stored, an output, or asked for: must exist in memory
  std::vector<GroupId> group_of_;
  std::vector<std::vector<NodeId>> groups_;
};

}  // namespace

std::vector<KernelCall> partition(const Graph& graph, const Keep& keep, const ComputesBoth& computes_both) {
  Partitioner partitioner(graph, keep, computes_both);
  std::vector<KernelCall> calls;
  for (const std::vector<NodeId>& group : partitioner.run()) calls.push_back(partitioner.make_call(group));
  return calls;
}

}  // namespace convoke
