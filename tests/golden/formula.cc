#include "tests/golden/formula.h"

#include <fmt/format.h>

#include <cmath>

namespace convoke {
namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// A multiple of 2^-23 in [-1, 1).
double unit(uint64_t seed, std::string_view name, int64_t i) {
  return static_cast<double>(static_cast<int64_t>(hash(seed, name, i) >> 40) - (int64_t{1} << 23)) / (1 << 23);
}

// make.py's weight().
Tensor make_weight(uint64_t seed, const std::string& name, const std::vector<int64_t>& dims) {
  Tensor tensor(dims);
  const bool batch_norm = name.find("bn") != std::string::npos || name.find("downsample") != std::string::npos;
  const double bound = std::sqrt(6.0 * static_cast<double>(dims[0]) / static_cast<double>(tensor.elems()));
  for (int64_t i = 0; i < tensor.elems(); ++i) {
    const double u = unit(seed, name, i);
    const double value = dims.size() >= 2                 ? u * bound
                         : name.ends_with("running_var")  ? 1 + 0.5 * u
                         : name.ends_with("running_mean") ? 0.1 * u
                         : name.ends_with("weight")       ? 0.75 + 0.25 * u
                         : batch_norm                     ? (u < 0 ? u - 1 : u + 1)
                                                          : 0.1 * u;
    tensor.data[static_cast<size_t>(i)] = static_cast<float>(value);
  }
  return tensor;
}

}  // namespace

uint64_t hash(uint64_t seed, std::string_view name, int64_t i) {
  uint64_t h = 0xCBF29CE484222325;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return mix(h + ((seed << 32) + static_cast<uint64_t>(i)) * 0x9E3779B97F4A7C15);
}

Environment make_weights(const Graph& graph, uint64_t seed) {
  Environment weights;
  for (const Node& node : graph.nodes) {
    const Value& value = graph.values[node.results.empty() ? 0 : node.results[0]];
    if (node.op == "parameter" || node.op == "state")
      weights[value.name] = make_weight(seed, value.name, value.type.dims);
  }
  return weights;
}

Tensor make_images(uint64_t seed, int index, const std::vector<int64_t>& dims) {
  Tensor tensor(dims);
  const std::string name = fmt::format("images/{}", index);
  for (int64_t i = 0; i < tensor.elems(); ++i) tensor.data[static_cast<size_t>(i)] = unit(seed, name, i);
  return tensor;
}

Tensor make_labels(uint64_t seed, int index, int64_t n, uint64_t classes) {
  Tensor tensor({n});
  const std::string name = fmt::format("labels/{}", index);
  for (int64_t i = 0; i < n; ++i) {
    tensor.data[static_cast<size_t>(i)] = static_cast<double>(hash(seed, name, i) % classes);
  }
  return tensor;
}

}  // namespace convoke
