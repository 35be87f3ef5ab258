// Every pass on its goldens: <pass>.golden or <pass>-<variant>.golden holds a graph, a line ----, and the graph after
// the pass. And what holds for all passes: the result verifies, running again changes nothing, outputs and stores keep
// their values.
#include "compiler/passes/passes.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "compiler/autodiff/differentiate.h"
#include "compiler/ir/text.h"
#include "compiler/ops/interpreter.h"
#include "compiler/ops/op.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

using Pass = Graph (*)(const Graph&);

const std::map<std::string, Pass> kPasses = {
    {"eliminate_common_subexpressions", eliminate_common_subexpressions},
    {"eliminate_dead_code", eliminate_dead_code},
    {"expand_batch_norm", expand_batch_norm},
    {"flatten_into_linear", flatten_into_linear},
    {"fold_batch_norm", fold_batch_norm},
    {"mask_pooled_gradients", mask_pooled_gradients},
    {"rematerialize", rematerialize},
    {"remove_views", remove_views},
    {"simplify_adaptive_pools", simplify_adaptive_pools},
    {"train_batch_norm", train_batch_norm},
    {"train_dropout", train_dropout},
};

struct Golden {
  std::string file;
  std::string pass;
  Graph before;
  std::string after;
};

std::vector<Golden> load_goldens() {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/passes")) {
    if (entry.path().extension() == ".golden") files.insert(entry.path().string());
  }
  std::vector<Golden> goldens;
  for (const std::string& file : files) {
    const std::string stem = std::filesystem::path(file).stem().string(), text = read_file(file).value();
    const size_t cut = text.find("----\n");
    REQUIRE(cut != std::string::npos);
    goldens.push_back({file, stem.substr(0, stem.find('-')), parse(text.substr(0, cut)).value(), text.substr(cut + 5)});
  }
  return goldens;
}

// Values in 0.2..1.8, so that variances are positive; labels 0 or 1.
Environment make_sources(const Graph& graph) {
  Environment sources;
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.is_source_value(static_cast<ValueId>(v))) continue;
    const Type& type = graph.values[v].type;
    std::vector<int64_t> dims = type.dims;
    if (type.has_batch()) dims[0] = 2;
    Tensor tensor(dims);
    double phase = static_cast<double>(graph.values[v].name.size());
    for (double& x : tensor.data) {
      phase += 0.9;
      x = type.dtype == DType::kF32 ? 1 + 0.8 * std::sin(phase) : std::fmod(std::floor(phase), 2);
    }
    sources[graph.values[v].name] = tensor;
  }
  return sources;
}

// Relative to the largest value (or 1): a pass may only reorder sums, in double.
double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.dims == b.dims);
  double largest = 0, size = 1;
  for (size_t i = 0; i < a.data.size(); ++i) {
    largest = std::fmax(largest, std::fabs(a.data[i] - b.data[i]));
    size = std::fmax(size, std::fabs(a.data[i]));
  }
  return largest / size;
}

void check_same_values(const Graph& before, const Graph& after) {
  const Environment sources = make_sources(before);
  const Environment old_values = interpret(before, sources), new_values = interpret(after, sources);
  REQUIRE(before.outputs.size() == after.outputs.size());
  for (size_t i = 0; i < before.outputs.size(); ++i) {
    const std::string& name = before.values[before.outputs[i]].name;
    INFO(name);
    CHECK(after.values[after.outputs[i]].name == name);
    CHECK(difference(old_values.at(name), new_values.at(name)) < 1e-12);
  }
  Environment old_states = sources, new_states = sources;
  apply_stores(before, old_values, old_states);
  apply_stores(after, new_values, new_states);
  for (const auto& [name, value] : old_states) {
    INFO(name);
    CHECK(difference(value, new_states.at(name)) < 1e-12);
  }
}

void check_verified(const Graph& graph) {
  const Status status = verify(graph);
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("passes against goldens") {
  std::set<std::string> seen;
  for (const Golden& golden : load_goldens()) {
    INFO(golden.file);
    REQUIRE(kPasses.contains(golden.pass));
    seen.insert(golden.pass);
    check_verified(golden.before);
    CHECK(print(kPasses.at(golden.pass)(golden.before)) == golden.after);
  }
  for (const auto& [name, pass] : kPasses) CHECK_MESSAGE(seen.contains(name), name);
}

TEST_CASE("every pass on every golden graph: verified, idempotent, of the same values") {
  for (const Golden& golden : load_goldens()) {
    for (const auto& [name, pass] : kPasses) {
      const std::string what = name + " on " + golden.file;
      INFO(what);
      const Graph after = pass(golden.before);
      check_verified(after);
      CHECK(print(pass(after)) == print(after));
      const bool is_training_form = pass == train_batch_norm || pass == train_dropout;  // these mean something else
      if (!is_training_form) check_same_values(golden.before, after);
    }
  }
}

TEST_CASE("pipelines: verified, observed, of the same values") {
  for (const Golden& golden : load_goldens()) {
    INFO(golden.file);
    int passes = 0;
    const Graph inference = inference_pipeline(golden.before, [&](std::string_view, const Graph&) { ++passes; });
    CHECK(passes == 6);
    check_same_values(golden.before, inference);
  }
}

// The forward pass and what the optimizer gets must not change by the passes behind autodiff.
TEST_CASE("training pipeline keeps loss, gradients and running statistics") {
  const std::string text = read_file("tests/passes/train_batch_norm.golden").value();
  const Graph forward = training_forward_pipeline(parse(text.substr(0, text.find("----\n"))).value());
  const Graph training = differentiate(forward, {}).value();
  const Graph optimized = training_pipeline(training);
  check_same_values(training, optimized);
  bool recomputes = false;
  for (const Value& value : optimized.values) recomputes |= value.name.ends_with(".again");
  CHECK(recomputes);
}

}  // namespace
}  // namespace convoke
