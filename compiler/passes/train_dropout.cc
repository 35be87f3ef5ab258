// In training dropout drops: dropout_train with a key of the pass, the run-time scalar `random`, and a stream of its
// own that follows from the layer's name, so that no layer's mask depends on what other layers there are.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

constexpr const char* kRandom = "random";

// FNV-1a, its upper half: a number from 0 to 2³¹−1.
int64_t stream_of(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return static_cast<int64_t>(hash >> 33);
}

}  // namespace

Graph train_dropout(const Graph& graph) {
  Rewrite rewrite(graph);
  ValueId random = kNoValue;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op != ops::dropout.name) {
      rewrite.copy(static_cast<NodeId>(i));
      continue;
    }
    if (random == kNoValue) random = rewrite.builder.input(kRandom, f32({}));
    const std::string& name = graph.values[node.results[0]].name;
    rewrite.builder.set_phase(node.phase);
    rewrite.replace(node.results[0],
                    rewrite.builder.add1(name, "dropout_train", {rewrite[node.inputs[0]], random},
                                         {{"p", attr_float(node.attrs, "p")}, {"stream", stream_of(name)}}));
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
