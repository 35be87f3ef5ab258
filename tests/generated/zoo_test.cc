// What holds for the plans of every model definition that is shipped: memory, and what training fuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/driver/compile_model.h"

namespace convoke {
namespace {

std::set<std::string> models() {
  std::set<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator("model_defs/models")) paths.insert(entry.path());
  return paths;
}

PlannedModel planned(const std::string& model, bool training, int64_t batch) {
  Result<PlannedModel> result =
      plan_model({.model = model, .target = "x86-64-avx512", .tuned = kNoTuned, .batch = batch, .training = training});
  REQUIRE_MESSAGE(result.ok(), model << ": " << result.status().message());
  return std::move(*result);
}

TEST_CASE("activations take at most 5 % more memory than those that live at the same time") {
  for (const std::string& model : models()) {
    for (const bool training : {true, false}) {
      for (const int64_t batch : {1, 32}) {
        const Plan plan = planned(model, training, batch).plan;
        const int64_t bytes = plan.arena_bytes[core::kActivations], bound = plan.activation_lower_bound_bytes;
        INFO(model << (training ? " training" : " inference") << ", batch " << batch << ": " << bytes << " bytes, "
                   << bound << " at least");
        CHECK(bound <= bytes);
        CHECK(100 * bytes <= 105 * bound);
      }
    }
  }
}

// The training plans' rows and what their kernels do.
struct Row {
  const PlanRow& row;
  const Kernel& kernel;

  bool does(std::string_view op) const {
    return std::ranges::any_of(kernel.body.nodes, [&](const Node& node) { return node.op == op; });
  }
  // Passes over an activation: how many are read and written.
  int reads() const { return count(kernel.inputs); }
  int writes() const { return count(kernel.body.outputs); }

 private:
  int count(const std::vector<ValueId>& values) const {
    return static_cast<int>(std::ranges::count_if(values, [&](ValueId v) { return kernel.body.type(v).rank() == 4; }));
  }
};

template <typename Visit>
void for_each_training_row(const Visit& visit) {
  for (const std::string& model : models()) {
    const Plan plan = planned(model, true, 8).plan;
    for (const PlanRow& row : plan.rows) {
      if (row.program < CONVOKE_FORWARD) continue;
      INFO(model << " " << row.name);
      visit(Row{row, plan.kernels[row.kernel].kernel});
    }
  }
}

TEST_CASE("training normalises, adds and rectifies in one pass") {
  for_each_training_row([](const Row& row) {
    if (!row.does("batch_norm2d") || row.row.program != CONVOKE_FORWARD) return;
    CHECK(row.does("relu"));
    CHECK(row.reads() <= 2);
    CHECK(row.writes() == 1);
  });
}

TEST_CASE("the gradient of a batch norm is two passes over its input and the output's gradient") {
  for_each_training_row([](const Row& row) {
    if (!row.does("batch_norm2d_backward_reduce") && !row.does("batch_norm2d_backward_data")) return;
    CHECK(row.reads() == 2);
    CHECK(row.writes() == (row.does("batch_norm2d_backward_data") ? 1 : 0));
  });
}

TEST_CASE("no pass of its own masks gradients, whatever makes them") {
  for_each_training_row([](const Row& row) {
    if (row.does("relu_backward")) CHECK(row.kernel.anchor != kNoAnchor);
  });
}

TEST_CASE("the update is one pass over all parameters behind one over all gradients") {
  for (const std::string& model : models()) {
    const Plan plan = planned(model, true, 8).plan;
    INFO(model);
    CHECK(std::ranges::count_if(plan.rows, [](const PlanRow& row) { return row.program == CONVOKE_UPDATE; }) == 2);
  }
}

// What the backward pass reads of the forward pass.
std::vector<ValueId> kept_values(const Graph& training) {
  std::set<ValueId> kept;
  for (const Node& node : training.nodes) {
    if (node.phase != Phase::kBackward) continue;
    for (ValueId value : node.inputs) {
      if (!training.is_source_value(value) && training.node_of(value).phase == Phase::kForward) kept.insert(value);
    }
  }
  return {kept.begin(), kept.end()};
}

TEST_CASE("of a convolution's output and what becomes of it by normalisation and ReLU one is kept") {
  for (const std::string& model : models()) {
    const Graph training = planned(model, true, 8).training;
    for (ValueId value : kept_values(training)) {
      INFO(model << " " << training.values[value].name);
      const Node& node = training.node_of(value);
      CHECK(node.op != "batch_norm2d");
      if (node.op == "relu") CHECK(training.node_of(node.inputs[0]).op != "batch_norm2d");
      if (node.op == "max_pool2d" && training.values[value].result == 1)
        CHECK(training.type(value).dtype == DType::kU8);
    }
  }
}

TEST_CASE("ReLU's gradient takes its mask from the output or its maxima, max-pooling's their places from 8 bits each") {
  for (const std::string& model : models()) {
    const Graph training = planned(model, true, 8).training;
    for (const Node& node : training.nodes) {
      INFO(model << " " << training.values[node.results[0]].name);
      if (node.op == "relu_backward") {
        const Node& output = training.node_of(node.inputs[1]);
        const bool is_pooled = output.op == "max_pool2d" && training.node_of(output.inputs[0]).op == "relu";
        CHECK((output.op == "relu" || is_pooled));
      }
      if (node.op == "max_pool2d_backward") CHECK(training.type(node.inputs[1]).dtype == DType::kU8);
    }
  }
}

}  // namespace
}  // namespace convoke
