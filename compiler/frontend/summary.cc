#include "compiler/frontend/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/ops/op.h"

namespace convoke {
namespace {

// Batch sizes are no part of shapes here: "28x28x6".
std::string shape(const Type& type) {
  std::string text;
  for (int64_t dim : type.dims) text += (text.empty() ? "" : "x") + (dim == kBatch ? "n" : std::to_string(dim));
  return text;
}

std::string shapes(const std::vector<Type>& types) {
  std::string text;
  for (const Type& type : types) text += (text.empty() ? "" : " ") + shape(type);
  return text;
}

// 1234567 as 1,234,567.
std::string grouped(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

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

std::string print(const ModelSummary& summary) {
  std::vector<std::vector<std::string>> rows = {{"layer", "op", "input", "output", "parameters", "multiply-adds"}};
  for (const LayerSummary& layer : summary.layers) {
    rows.push_back({layer.name, layer.op, shapes(layer.inputs), shape(layer.output),
                    layer.parameters > 0 ? grouped(layer.parameters) : "-",
                    layer.multiply_adds > 0 ? grouped(layer.multiply_adds) : "-"});
  }
  rows.push_back({"total", "", shapes(summary.inputs), shapes(summary.outputs), grouped(summary.parameters),
                  grouped(summary.multiply_adds)});
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    if (r == 1 || r + 1 == rows.size()) {
      size_t width = 2 * (widths.size() - 1);
      for (size_t each : widths) width += each;
      text += std::string(width, '-') + "\n";
    }
    std::string line;
    for (size_t i = 0; i < rows[r].size(); ++i) {
      line += i < 4 ? fmt::format("{:<{}}  ", rows[r][i], widths[i])
                    : fmt::format("{:>{}}{}", rows[r][i], widths[i], i == 4 ? "  " : "\n");
    }
    text += line;
  }
  return text;
}

}  // namespace convoke
