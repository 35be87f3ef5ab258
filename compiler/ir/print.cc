#include <charconv>

#include "compiler/ir/text.h"

namespace convoke {
namespace {

// The shortest text that reads back as the same double, always recognisable as a float.
std::string print_float(double value) {
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, end);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string print_string(const std::string& value) {
  std::string text = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

struct AttrPrinter {
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return print_float(value); }
  std::string operator()(const std::string& value) const { return print_string(value); }
  std::string operator()(const std::vector<int64_t>& values) const {
    std::string text = "[";
    for (size_t i = 0; i < values.size(); ++i) text += (i ? "," : "") + std::to_string(values[i]);
    return text + "]";
  }
};

template <typename List, typename Print>
std::string join(const List& list, Print print) {
  std::string text;
  for (const auto& item : list) {
    if (!text.empty()) text += ", ";
    text += print(item);
  }
  return text;
}

}  // namespace

std::string print_attrs(const Attrs& attrs) {
  if (attrs.empty()) return "";
  return "{" + join(attrs, [](const auto& attr) { return attr.first + "=" + std::visit(AttrPrinter{}, attr.second); }) +
         "}";
}

std::string print(const Graph& graph) {
  auto name = [&](ValueId value) { return "%" + graph.values[value].name; };
  std::string text = "graph " + graph.name + "\n";
  Phase phase = Phase::kForward;
  for (const Node& node : graph.nodes) {
    if (!is_source(node.op) && node.phase != phase) {
      phase = node.phase;
      text += std::string(to_string(phase)) + ":\n";
    }
    text += join(node.results, name) + " = " + node.op + "(" + join(node.inputs, name) + ")";
    if (!node.attrs.empty()) text += " " + print_attrs(node.attrs);
    text += " : " + join(node.results, [&](ValueId value) { return to_string(graph.type(value)); }) + "\n";
  }
  for (const Store& store : graph.stores) text += "store " + name(store.state) + ", " + name(store.value) + "\n";
  for (ValueId output : graph.outputs) text += "output " + name(output) + "\n";
  return text;
}

}  // namespace convoke
