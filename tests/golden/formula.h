// The formula by which make.py and the tests make the same weights and data, exact in float32.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ops/interpreter.h"

namespace convoke {

// Hash i of a name: mix(fnv1a(name) + (seed·2^32 + i)·0x9E3779B97F4A7C15), mix being splitmix64's finalizer.
uint64_t hash(uint64_t seed, std::string_view name, int64_t i);

// The parameters and states of a graph.
Environment make_weights(const Graph& graph, uint64_t seed);

// Batch `index`: images f32[n,h,w,c] in [-1, 1), labels i32[n].
Tensor make_images(uint64_t seed, int index, const std::vector<int64_t>& dims);
Tensor make_labels(uint64_t seed, int index, int64_t n, uint64_t classes);

}  // namespace convoke
