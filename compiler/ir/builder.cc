#include "compiler/ir/builder.h"

#include <algorithm>

namespace convoke {

Builder::Builder(std::string graph_name, InferTypes infer) : infer_(std::move(infer)) {
  graph_.name = std::move(graph_name);
}

std::string Builder::unique_name(std::string name) {
  if (names_.emplace(name, 1).second) return name;
  while (true) {
    std::string candidate = name + "." + std::to_string(names_[name]++);
    if (names_.emplace(candidate, 1).second) return candidate;
  }
}

std::vector<ValueId> Builder::append(Node node, const std::vector<std::string>& names, std::vector<Type> types) {
  const auto node_id = static_cast<NodeId>(graph_.nodes.size());
  for (size_t i = 0; i < types.size(); ++i) {
    node.results.push_back(static_cast<ValueId>(graph_.values.size()));
    graph_.values.push_back({unique_name(names[i]), std::move(types[i]), node_id, static_cast<int>(i)});
  }
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.back().results;
}

ValueId Builder::input(std::string name, Type type) { return append({.op = "input"}, {name}, {std::move(type)})[0]; }

ValueId Builder::parameter(std::string name, Type type, Attrs attrs) {
  return append({.op = "parameter", .attrs = std::move(attrs)}, {name}, {std::move(type)})[0];
}

ValueId Builder::state(std::string name, Type type, std::string arena, Attrs attrs) {
  attrs["arena"] = std::move(arena);
  return append({.op = "state", .attrs = std::move(attrs)}, {name}, {std::move(type)})[0];
}

Result<std::vector<ValueId>> Builder::try_add(std::string name, std::string op, std::vector<ValueId> inputs,
                                              Attrs attrs) {
  std::vector<Type> input_types;
  for (ValueId input : inputs) input_types.push_back(graph_.type(input));
  ASSIGN_OR_RETURN(std::vector<Type> types, infer_(op, attrs, input_types));
  std::vector<std::string> names(types.size(), name);
  for (size_t i = 1; i < names.size(); ++i) names[i] += "." + std::to_string(i);
  return append({std::move(op), std::move(attrs), std::move(inputs), {}, phase_}, names, std::move(types));
}

std::vector<ValueId> Builder::add(std::string name, std::string op, std::vector<ValueId> inputs, Attrs attrs) {
  auto results = try_add(name, op, std::move(inputs), std::move(attrs));
  ENSURE(results.ok()) << name << " = " << op << ": " << results.status().message();
  return std::move(results).value();
}

ValueId Builder::add1(std::string name, std::string op, std::vector<ValueId> inputs, Attrs attrs) {
  std::vector<ValueId> results = add(name, op, std::move(inputs), std::move(attrs));
  ENSURE(results.size() == 1) << op << " has " << results.size() << " results";
  return results[0];
}

std::vector<ValueId> Builder::copy(const Graph& from, NodeId node_id, std::vector<ValueId> inputs) {
  const Node& node = from.nodes[node_id];
  std::vector<std::string> names;
  std::vector<Type> types;
  for (ValueId result : node.results) {
    names.push_back(from.values[result].name);
    types.push_back(from.type(result));
  }
  if (!is_source(node.op)) {
    std::vector<Type> input_types;
    for (ValueId input : inputs) input_types.push_back(graph_.type(input));
    auto inferred = infer_(node.op, node.attrs, input_types);
    ENSURE(inferred.ok()) << names[0] << " = " << node.op << ": " << inferred.status().message();
    types = std::move(inferred).value();
  }
  return append({node.op, node.attrs, std::move(inputs), {}, phase_}, names, std::move(types));
}

void Builder::store(ValueId state, ValueId value) { graph_.stores.push_back({state, value}); }
void Builder::output(ValueId value) { graph_.outputs.push_back(value); }
Graph Builder::take() && { return std::move(graph_); }

}  // namespace convoke
