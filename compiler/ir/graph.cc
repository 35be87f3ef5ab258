#include "compiler/ir/graph.h"

#include "runtime/base/check.h"

namespace convoke {
namespace {

template <typename T>
const T& typed_attr(const Attrs& attrs, std::string_view key) {
  auto found = attrs.find(key);
  ENSURE(found != attrs.end()) << "no attribute " << key;
  const T* value = std::get_if<T>(&found->second);
  ENSURE(value != nullptr) << "attribute " << key << " has another type";
  return *value;
}

}  // namespace

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::kPrepare:
      return "prepare";
    case Phase::kForward:
      return "forward";
    case Phase::kLoss:
      return "loss";
    case Phase::kBackward:
      return "backward";
    case Phase::kUpdate:
      return "update";
  }
  return "?";
}

bool is_source(std::string_view op) { return op == "input" || op == "parameter" || op == "state"; }

ValueId find_value(const Graph& graph, std::string_view name) {
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

std::vector<std::vector<NodeId>> users(const Graph& graph) {
  std::vector<std::vector<NodeId>> result(graph.values.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (ValueId input : graph.nodes[n].inputs) {
      auto& list = result[input];
      if (list.empty() || list.back() != static_cast<NodeId>(n)) list.push_back(static_cast<NodeId>(n));
    }
  }
  return result;
}

int64_t attr_int(const Attrs& attrs, std::string_view key) { return typed_attr<int64_t>(attrs, key); }
double attr_float(const Attrs& attrs, std::string_view key) { return typed_attr<double>(attrs, key); }
const std::string& attr_string(const Attrs& attrs, std::string_view key) { return typed_attr<std::string>(attrs, key); }
const std::vector<int64_t>& attr_ints(const Attrs& attrs, std::string_view key) {
  return typed_attr<std::vector<int64_t>>(attrs, key);
}

}  // namespace convoke
