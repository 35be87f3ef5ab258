// Rewrite: what every pass does beside its own idea, copying a graph node by node while some values are replaced.
#pragma once

#include "compiler/ops/op.h"

namespace convoke {

class Rewrite {
 public:
  explicit Rewrite(const Graph& from)
      : builder(make_builder(from.name)), from_(from), now_(from.values.size(), kNoValue) {}

  Builder builder;

  // The value in the graph under construction; it has been copied or replaced.
  ValueId operator[](ValueId value) const {
    ENSURE(now_[value] != kNoValue) << "%" << from_.values[value].name << " is not there yet";
    return now_[value];
  }
  std::vector<ValueId> operator[](const std::vector<ValueId>& values) const {
    std::vector<ValueId> result;
    for (ValueId value : values) result.push_back((*this)[value]);
    return result;
  }
  void replace(ValueId value, ValueId by) { now_[value] = by; }

  // The node over its operands of now, in its phase.
  void copy(NodeId id) { copy(id, (*this)[from_.nodes[id].inputs]); }
  void copy(NodeId id, std::vector<ValueId> operands) {
    const Node& node = from_.nodes[id];
    builder.set_phase(node.phase);
    const std::vector<ValueId> results = builder.copy(from_, id, std::move(operands));
    for (size_t i = 0; i < results.size(); ++i) replace(node.results[i], results[i]);
  }

  // With the stores and outputs of before.
  Graph finish() && {
    for (const Store& store : from_.stores) builder.store((*this)[store.state], (*this)[store.value]);
    for (ValueId output : from_.outputs) builder.output((*this)[output]);
    return std::move(builder).take();
  }

 private:
  const Graph& from_;
  std::vector<ValueId> now_;
};

// For each value, whether it is an output or is stored.
std::vector<bool> leaves_graph(const Graph& graph);

}  // namespace convoke
