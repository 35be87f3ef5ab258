// Random graphs of images and vectors per channel with fan-out, several results, weights and values prepared from them:
// shapes of graphs that networks rarely have.
#pragma once

#include <cstdint>

#include "compiler/ir/graph.h"
#include "compiler/ops/interpreter.h"

namespace convoke {

Graph random_graph(uint64_t seed);

// Values in −1..1 by a formula; labels 0 to 9.
Environment make_sources(const Graph& graph, int64_t batch);

}  // namespace convoke
