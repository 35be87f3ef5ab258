#include "compiler/ir/verify.h"

#include <set>

namespace convoke {
namespace {

Status broken(const Graph& graph, ValueId value, const std::string& why) {
  return internal_error("graph " + graph.name + ": %" + graph.values[value].name + ": " + why);
}

Status verify_value(const Graph& graph, ValueId id, std::set<std::string_view>& names) {
  const Value& value = graph.values[id];
  if (!names.insert(value.name).second) return broken(graph, id, "the name is taken");
  const auto& dims = value.type.dims;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] <= 0 && !(i == 0 && dims[i] == kBatch)) return broken(graph, id, "dimension " + std::to_string(i));
  }
  const bool exists = value.node >= 0 && value.node < static_cast<NodeId>(graph.nodes.size());
  if (!exists || value.result >= static_cast<int>(graph.nodes[value.node].results.size()) ||
      graph.nodes[value.node].results[value.result] != id) {
    return broken(graph, id, "is not the result it says it is");
  }
  return ok_status();
}

Status verify_node(const Graph& graph, NodeId id, const InferTypes& infer) {
  const Node& node = graph.nodes[id];
  if (node.results.empty()) return internal_error("graph " + graph.name + ": a node " + node.op + " without results");
  const ValueId first = node.results[0];
  std::vector<Type> input_types;
  for (ValueId input : node.inputs) {
    if (graph.values[input].node >= id) return broken(graph, first, "reads a value that comes later");
    const Node& producer = graph.node_of(input);
    if (!is_source(producer.op) && producer.phase > node.phase) return broken(graph, first, "reads from a later phase");
    input_types.push_back(graph.type(input));
  }
  if (is_source(node.op)) {
    return node.inputs.empty() ? ok_status() : broken(graph, first, "a source with operands");
  }
  auto types = infer(node.op, node.attrs, input_types);
  if (!types.ok()) return broken(graph, first, types.status().message());
  if (types->size() != node.results.size()) return broken(graph, first, "has another number of results");
  for (size_t i = 0; i < types->size(); ++i) {
    const Type& stated = graph.type(node.results[i]);
    if (stated == (*types)[i]) continue;
    return broken(graph, node.results[i], "has type " + to_string(stated) + ", inferred " + to_string((*types)[i]));
  }
  return ok_status();
}

}  // namespace

Status verify(const Graph& graph, const InferTypes& infer) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    RETURN_IF_ERROR(verify_value(graph, static_cast<ValueId>(i), names));
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    RETURN_IF_ERROR(verify_node(graph, static_cast<NodeId>(i), infer));
  }
  std::set<ValueId> stored;
  for (const Store& store : graph.stores) {
    if (graph.node_of(store.state).op != "state") return broken(graph, store.state, "is stored to but is no state");
    if (!stored.insert(store.state).second) return broken(graph, store.state, "is stored twice");
    if (graph.type(store.state) != graph.type(store.value)) return broken(graph, store.state, "is stored another type");
  }
  return ok_status();
}

}  // namespace convoke
