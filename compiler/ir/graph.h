// The graph: SSA nodes in topological order, values by index. Passes make new graphs through Builder (builder.h);
// nothing edits a node in place. Text form in text.h, invariants in verify.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/ir/type.h"

namespace convoke {

using ValueId = int;  // index into Graph::values
using NodeId = int;   // index into Graph::nodes
inline constexpr ValueId kNoValue = -1;

// Attribute values. Pairs are [y, x]; paddings [top, bottom, left, right].
using Attr = std::variant<int64_t, double, std::string, std::vector<int64_t>>;
using Attrs = std::map<std::string, Attr, std::less<>>;

// When a node runs. Inference graphs use kPrepare (depends on weights alone) and kForward; training graphs kForward,
// kLoss (from labels to the gradients of the outputs) and kBackward; update graphs kUpdate.
enum class Phase : uint8_t { kPrepare, kForward, kLoss, kBackward, kUpdate };
const char* to_string(Phase phase);

// Sources are nodes without operands: what the graph is given.
//   input      by the caller: images, labels, run-time scalars (f32[])
//   parameter  learned; attr init (string), fan_in
//   state      everything else that lasts between calls; attr arena: "state" (running statistics), "gradients", or the
//              name of a moment. Changed by stores alone.
bool is_source(std::string_view op);

struct Value {
  std::string name;  // unique, without '%'; a layer's first result has the layer's name
  Type type;
  NodeId node;  // that defines it
  int result;   // which of its results
};

struct Node {
  std::string op;
  Attrs attrs;
  std::vector<ValueId> inputs;
  std::vector<ValueId> results;
  Phase phase = Phase::kForward;
};

// `store %state, %value`: at the end of the graph the state holds the value. The only effect there is.
struct Store {
  ValueId state;
  ValueId value;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<Store> stores;
  std::vector<ValueId> outputs;

  const Type& type(ValueId value) const { return values[value].type; }
  const Node& node_of(ValueId value) const { return nodes[values[value].node]; }
  bool is_source_value(ValueId value) const { return is_source(node_of(value).op); }
};

ValueId find_value(const Graph& graph, std::string_view name);  // kNoValue when there is none

// For each value the nodes that read it, in order (stores and outputs not counted).
std::vector<std::vector<NodeId>> users(const Graph& graph);

// Typed access to attributes; a missing one is our mistake (infer has accepted the node).
int64_t attr_int(const Attrs& attrs, std::string_view key);
double attr_float(const Attrs& attrs, std::string_view key);
const std::string& attr_string(const Attrs& attrs, std::string_view key);
const std::vector<int64_t>& attr_ints(const Attrs& attrs, std::string_view key);

}  // namespace convoke
