// An adaptive pooling whose windows all have one size is a plain one: global for a single window, none for windows of
// one pixel.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {

Graph simplify_adaptive_pools(const Graph& graph) {
  const std::vector<bool> leaves = leaves_graph(graph);
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool adapts = node.op == ops::adaptive_avg_pool2d.name;
    const auto &in = graph.type(node.inputs.empty() ? node.results[0] : node.inputs[0]).dims,
               &out = graph.type(node.results[0]).dims;
    if (!adapts || in[1] % out[1] != 0 || in[2] % out[2] != 0) {
      rewrite.copy(static_cast<NodeId>(i));
      continue;
    }
    if (in == out && !leaves[node.results[0]]) {
      rewrite.replace(node.results[0], rewrite[node.inputs[0]]);
      continue;
    }
    const std::vector kernel = {in[1] / out[1], in[2] / out[2]};
    const bool global = out[1] == 1 && out[2] == 1;
    const Attrs windows = {{"kernel_size", kernel},
                           {"stride", kernel},
                           {"padding", std::vector<int64_t>(4)},
                           {"count_include_pad", int64_t{1}}};
    rewrite.builder.set_phase(node.phase);
    rewrite.replace(node.results[0], rewrite.builder.add1(graph.values[node.results[0]].name,
                                                          global ? "global_avg_pool2d" : "avg_pool2d",
                                                          {rewrite[node.inputs[0]]}, global ? Attrs{} : windows));
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
