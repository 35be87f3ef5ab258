#include "compiler/ops/interpreter.h"

#include "compiler/ops/op.h"

namespace convoke {
namespace {

std::vector<int64_t> concrete_dims(const Type& type, int64_t batch) {
  std::vector<int64_t> dims = type.dims;
  if (type.has_batch()) dims[0] = batch;
  return dims;
}

// The batch of this run: the first dimension of any source that has one; 1 when none has.
int64_t batch_of(const Graph& graph, const Environment& sources) {
  for (const Value& value : graph.values) {
    if (!value.type.has_batch() || !is_source(graph.nodes[value.node].op)) continue;
    if (auto found = sources.find(value.name); found != sources.end()) return found->second.dim(0);
  }
  return 1;
}

}  // namespace

Environment interpret(const Graph& graph, const Environment& sources, const Rounding& rounding) {
  const int64_t batch = batch_of(graph, sources);
  Environment values = sources;
  for (const Node& node : graph.nodes) {
    if (is_source(node.op)) continue;
    std::vector<const Tensor*> inputs;
    for (ValueId input : node.inputs) {
      auto found = values.find(graph.values[input].name);
      ENSURE(found != values.end()) << "no tensor for %" << graph.values[input].name;
      inputs.push_back(&found->second);
    }
    std::vector<Tensor> outputs;
    for (ValueId result : node.results) outputs.emplace_back(concrete_dims(graph.type(result), batch));
    op_of(node).reference(view(graph, node), inputs, outputs);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (rounding && graph.type(node.results[i]).dtype == DType::kF32) rounding(outputs[i]);
      values[graph.values[node.results[i]].name] = std::move(outputs[i]);
    }
  }
  return values;
}

void apply_stores(const Graph& graph, const Environment& values, Environment& sources) {
  for (const Store& store : graph.stores) {
    sources[graph.values[store.state].name] = values.at(graph.values[store.value].name);
  }
}

}  // namespace convoke
