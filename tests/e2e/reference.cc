#include "tests/e2e/reference.h"

#include <algorithm>
#include <utility>

#include "runtime/core/philox.h"

namespace convoke {
namespace {

std::vector<std::string> trained_parameters(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) {
    if (node.op != "parameter") continue;
    const std::string& name = graph.values[node.results[0]].name;
    if (find_value(graph, name + ".grad") != kNoValue) names.push_back(name);
  }
  return names;
}

}  // namespace

ReferenceTrainer::ReferenceTrainer(const Graph& training, const OptimizerOptions& optimizer, Environment weights,
                                   Rounding rounding)
    : training_(training),
      parameters_(trained_parameters(training)),
      sources_(std::move(weights)),
      rounding_(std::move(rounding)) {
  for (const std::string& name : parameters_) sources_[name + ".grad"] = Tensor(sources_.at(name).dims);
  const int64_t elems = flat("").elems();
  update_ = update_graph(optimizer, elems);
  for (const Value& value : update_.values) {
    if (update_.nodes[value.node].op == "state") update_sources_[value.name] = Tensor({elems});
  }
}

Tensor ReferenceTrainer::flat(const std::string& suffix) const {
  std::vector<double> all;
  for (const std::string& name : parameters_) {
    const std::vector<double>& data = sources_.at(name + suffix).data;
    all.insert(all.end(), data.begin(), data.end());
  }
  Tensor tensor({static_cast<int64_t>(all.size())});
  tensor.data = std::move(all);
  return tensor;
}

Environment ReferenceTrainer::forward_backward(const Inputs& inputs, const Tensor& labels, const convoke_step& step) {
  sources_["loss_scale"].data = {step.scale};
  sources_["accumulate"].data = {static_cast<double>(step.accumulate)};
  ++passes_;
  const uint64_t seed = step.seed != 0 ? step.seed : passes_;
  const auto key = core::philox({{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), 0, 0}}, 0).word[0];
  sources_["random"].data = {static_cast<double>(key >> 8)};
  size_t next = 0;
  for (const Node& node : training_.nodes) {
    if (node.op != "input" || next == inputs.size()) continue;
    sources_[training_.values[node.results[0]].name] = inputs[next++];
  }
  sources_["labels"] = labels;
  Environment values = interpret(training_, sources_, rounding_);
  apply_stores(training_, values, sources_);
  return values;
}

void ReferenceTrainer::update(double learning_rate, int64_t step) {
  update_sources_["parameters"] = flat("");
  update_sources_["gradients"] = flat(".grad");
  update_sources_["learning_rate"].data = {learning_rate};
  update_sources_["gradient_scale"].data = {1};
  update_sources_["step"].data = {static_cast<double>(step)};
  apply_stores(update_, interpret(update_, update_sources_), update_sources_);
  auto next = update_sources_.at("parameters").data.begin();
  for (const std::string& name : parameters_) {
    std::vector<double>& data = sources_.at(name).data;
    std::copy_n(next, data.size(), data.begin());
    next += static_cast<std::ptrdiff_t>(data.size());
  }
}

}  // namespace convoke
