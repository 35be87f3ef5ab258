// batch_norm2d_train(x, w, b) = batch_norm2d(x, w, b, mean, variance) with (mean, variance) = channel_moments(x), which
// of what a convolution makes is merge_moments(row_sums(x)): the convolution has the sums on the way.
#include <optional>

#include "compiler/ops/conv2d.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace convoke {
namespace {

// A grouped convolution may have no schedule that sums its rows. Fewer channels are faster in blocks of images, where
// no convolution sums its rows; of rows of fewer pixels there would be as much to write as a pass of its own reads.
constexpr int64_t kLeastChannels = 32, kLeastPixels = 4;

bool is_summed_by_its_convolution(const Graph& graph, ValueId x) {
  if (graph.is_source_value(x)) return false;
  const std::optional<Conv2d> conv = as_conv2d(view(graph, graph.node_of(x)));
  return conv && conv->groups == 1 && graph.type(x).dims[3] >= kLeastChannels && graph.type(x).dims[2] >= kLeastPixels;
}

std::vector<ValueId> add_moments(Rewrite& rewrite, const Graph& graph, const std::string& name, ValueId x) {
  Builder& builder = rewrite.builder;
  if (!is_summed_by_its_convolution(graph, x)) return builder.add(name + ".moments", "channel_moments", {rewrite[x]});
  const std::vector<ValueId> sums = builder.add(name + ".row_sums", "row_sums", {rewrite[x]});
  return builder.add(name + ".moments", "merge_moments", sums, {{"pixels", graph.type(x).dims[2]}});
}

}  // namespace

Graph expand_batch_norm(const Graph& graph) {
  Rewrite rewrite(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op != ops::batch_norm2d_train.name) {
      rewrite.copy(static_cast<NodeId>(i));
      continue;
    }
    const std::string& name = graph.values[node.results[0]].name;
    std::vector<ValueId> operands = rewrite[node.inputs];
    rewrite.builder.set_phase(node.phase);
    const std::vector<ValueId> moments = add_moments(rewrite, graph, name, node.inputs[0]);
    operands.insert(operands.end(), moments.begin(), moments.end());
    rewrite.replace(node.results[0], rewrite.builder.add1(name, "batch_norm2d", operands, node.attrs));
    rewrite.replace(node.results[1], moments[0]);
    rewrite.replace(node.results[2], moments[1]);
  }
  return std::move(rewrite).finish();
}

}  // namespace convoke
