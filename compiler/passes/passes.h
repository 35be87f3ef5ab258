// Every pass over graphs, and the orders in which they run. A pass is a free function from a graph to a graph that
// keeps the names of the values it keeps, and changes nothing when run again on its result.
#pragma once

#include <functional>
#include <string_view>

#include "compiler/ir/graph.h"

namespace convoke {

// Equal nodes of one phase become the first of them. Outputs keep their nodes.
Graph eliminate_common_subexpressions(const Graph& graph);

// Nodes on which no output and no store depends go. Sources stay: they are the model's interface.
Graph eliminate_dead_code(const Graph& graph);

// Training, behind autodiff: batch_norm2d_train becomes channel_moments, and an elementwise batch_norm2d that fuses.
Graph expand_batch_norm(const Graph& graph);

// A linear over a flattened image reads the image.
Graph flatten_into_linear(const Graph& graph);

// Inference: a batch_norm2d behind a convolution that nobody else reads goes into that convolution's weight and bias,
// computed in Phase::kPrepare. The convolution then has the batch_norm2d's name.
Graph fold_batch_norm(const Graph& graph);

// Training, behind autodiff: of z = relu(y), p = max_pool2d(z) the backward pass reads p alone, for relu's gradient is
// masked where it is still the pooling's.
Graph mask_pooled_gradients(const Graph& graph);

// Training: what the backward pass reads of the forward pass and can compute again from values that it reads anyway, by
// elementwise ops, is computed again: of y = conv(x), z = relu(batch_norm2d(y)) only y lives until then.
Graph rematerialize(const Graph& graph);

// Ops that change nothing give way to their operand.
Graph remove_views(const Graph& graph);

// Adaptive poolings whose windows have one size become plain ones, or nothing.
Graph simplify_adaptive_pools(const Graph& graph);

// Training, before autodiff: batch_norm2d uses the moments of the batch; the running statistics that it used are stored
// as running averages. Their states may have an attribute `momentum`; without it it is PyTorch's default, 0.1.
Graph train_batch_norm(const Graph& graph);

// Training, before autodiff and remove_views: dropout drops, by the key in the run-time scalar `random`.
Graph train_dropout(const Graph& graph);

// Called with the name and the result of each pass (--dump-after), every one of them verified.
using PassObserver = std::function<void(std::string_view pass, const Graph& graph)>;

Graph inference_pipeline(Graph graph, const PassObserver& observer = {});
// The two halves around differentiate() (compiler/autodiff/).
Graph training_forward_pipeline(Graph graph, const PassObserver& observer = {});
Graph training_pipeline(Graph graph, const PassObserver& observer = {});

}  // namespace convoke
