// The orders of the passes, with reasons.
#include <span>

#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"

namespace convoke {
namespace {

struct Pass {
  std::string_view name;
  Graph (*run)(const Graph&);
};
#define PASS(name) {#name, name}

constexpr Pass kInference[] = {
    PASS(simplify_adaptive_pools),
    PASS(remove_views),                     // else they stand between the patterns below
    PASS(flatten_into_linear),              //
    PASS(eliminate_common_subexpressions),  // before folding: it makes values that are read once
    PASS(fold_batch_norm),                  //
    PASS(eliminate_dead_code),              // what the rewrites left behind
};

constexpr Pass kTrainingForward[] = {
    PASS(train_dropout),  // before remove_views, to which dropout is nothing
    PASS(simplify_adaptive_pools),
    PASS(remove_views),         //
    PASS(flatten_into_linear),  // before autodiff: the gradients then have the image's shape
    PASS(eliminate_common_subexpressions),
    PASS(train_batch_norm),     // before autodiff: the derivative is that of batch moments
    PASS(eliminate_dead_code),  // before autodiff: dead nodes would get gradients
};

constexpr Pass kTraining[] = {
    PASS(expand_batch_norm),      // behind autodiff, which needs the op whole
    PASS(mask_pooled_gradients),  // before rematerialize: fewer values are read
    PASS(eliminate_common_subexpressions),
    PASS(eliminate_dead_code),  // before rematerialize: dead readers would keep values alive
    PASS(rematerialize),        // last: it repeats what the elimination of common subexpressions unites
};
#undef PASS

Graph run(std::span<const Pass> passes, Graph graph, const PassObserver& observer) {
  for (const Pass& pass : passes) {
    graph = pass.run(graph);
    const Status status = verify(graph);
    ENSURE(status.ok()) << "after " << pass.name << ": " << status.message();
    if (observer) observer(pass.name, graph);
  }
  return graph;
}

}  // namespace

Graph inference_pipeline(Graph graph, const PassObserver& observer) {
  return run(kInference, std::move(graph), observer);
}
Graph training_forward_pipeline(Graph graph, const PassObserver& observer) {
  return run(kTrainingForward, std::move(graph), observer);
}
Graph training_pipeline(Graph graph, const PassObserver& observer) {
  return run(kTraining, std::move(graph), observer);
}

}  // namespace convoke
