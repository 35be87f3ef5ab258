// Plans: the printed form of LeNet's as a golden, and that plans compute what their graphs do when every kernel is run
// by its ops' references at the places that the plan states.
#include "compiler/kernels/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "compiler/autodiff/differentiate.h"
#include "compiler/autodiff/update.h"
#include "compiler/ir/text.h"
#include "compiler/kernels/make_plan.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "runtime/base/file.h"
#include "tests/kernels/random_graph.h"
#include "tests/kernels/run_plan.h"
#include "tests/kernels/wishes.h"

namespace convoke {
namespace {

constexpr int64_t kCapacity = 5;

struct Model {
  Graph inference, training;
  OptimizerOptions optimizer;
};

Model model_of(const std::string& text, const std::string& freeze = "") {
  const Result<Graph> graph = parse(text);
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  REQUIRE(verify(*graph).ok());
  return {inference_pipeline(*graph),
          training_pipeline(differentiate(training_forward_pipeline(*graph), {.freeze = freeze}).value()),
          {.momentum = 0.9, .weight_decay = 0.01}};
}

Plan plan_of(const Model& model, const Lookup& lookup, int64_t capacity = kCapacity, int64_t vector_lanes = 0) {
  const Result<Plan> plan =
      make_plan({model.inference.name, capacity, &model.inference, &model.training,
                 [&](int64_t elems) { return update_graph(model.optimizer, elems); }, lookup, vector_lanes});
  REQUIRE_MESSAGE(plan.ok(), plan.status().message());
  return *plan;
}

std::string golden(const std::string& name) { return read_file("tests/kernels/" + name).value(); }

void check_arenas(const Plan& plan) {
  CHECK(plan.activation_lower_bound_bytes <= plan.arena_bytes[core::kActivations]);
  CHECK(plan.inference_activation_bytes <= plan.arena_bytes[core::kActivations]);
  for (const PlanBuffer& buffer : plan.buffers) {
    if (buffer.arena != core::kScalars) CHECK(buffer.offset_bytes % 64 == 0);
  }
  for (size_t row = 1; row < plan.rows.size(); ++row) CHECK(plan.rows[row - 1].program <= plan.rows[row].program);
}

// One call of forward, loss and backward, twice: the second accumulates.
void check_training(const Plan& plan, const Model& model, int64_t batch) {
  const Graph& graph = model.training;
  Environment sources = make_sources(graph, batch);
  sources["loss_scale"].data = {1};
  PlanRunner runner(plan, batch);
  set_weights(plan, sources, runner);
  runner.set_scalar(core::kLossScale, 1);
  for (double accumulate : {0.0, 1.0}) {
    sources["accumulate"].data = {accumulate};
    runner.set_scalar(core::kAccumulate, static_cast<float>(accumulate));
    for (int buffer : plan.train_inputs) runner.set(buffer, sources.at(plan.buffers[buffer].name));
    runner.set(plan.labels, sources.at("labels"));
    const Environment expected = interpret(graph, sources);
    runner.run(CONVOKE_FORWARD);
    for (int buffer : plan.train_outputs) check_near(runner.get(buffer), expected.at(plan.buffers[buffer].name));
    runner.run(CONVOKE_LOSS);
    runner.run(CONVOKE_BACKWARD);
    check_near(runner.get(plan.loss), expected.at("loss"));
    check_near(runner.get(plan.accuracy), expected.at("accuracy"));
    apply_stores(graph, expected, sources);
    for (int buffer : plan.gradients) {
      if (buffer >= 0) check_near(runner.get(buffer), sources.at(plan.buffers[buffer].name));
    }
    for (int buffer : plan.states) check_near(runner.get(buffer), sources.at(plan.buffers[buffer].name));
  }
}

// Runs SGD's rows and compares with its formula, parameter by parameter.
void check_update(const Plan& plan, const Model& model) {
  const Environment sources = make_sources(model.training, 1);
  PlanRunner runner(plan, 1);
  set_weights(plan, sources, runner);
  double squares = 0;
  for (size_t p = 0; p < plan.parameters.size(); ++p) {
    if (plan.gradients[p] < 0) continue;
    const PlanBuffer& gradient = plan.buffers[plan.gradients[p]];
    runner.set(plan.gradients[p], sources.at(gradient.name));
    for (double g : sources.at(gradient.name).data) squares += g * g;
  }
  runner.set_scalar(core::kLearningRate, 0.5f);
  runner.set_scalar(core::kGradientScale, 2);
  runner.run(CONVOKE_UPDATE);
  CHECK(runner.get(plan.gradient_sum_squares).data[0] == doctest::Approx(squares).epsilon(1e-5));
  REQUIRE(plan.moments.size() == 1);
  for (size_t p = 0; p < plan.parameters.size(); ++p) {
    const PlanBuffer& parameter = plan.buffers[plan.parameters[p]];
    INFO(parameter.name);
    Tensor weight = sources.at(parameter.name), moment(weight.dims);
    CHECK((plan.moments[0][p] < 0) == (plan.gradients[p] < 0));
    if (plan.gradients[p] < 0) {
      check_near(runner.get(plan.parameters[p]), weight);
      continue;
    }
    for (size_t i = 0; i < weight.data.size(); ++i) {
      moment.data[i] = 2 * sources.at(parameter.name + ".grad").data[i] + 0.01 * weight.data[i];
      weight.data[i] -= 0.5 * moment.data[i];
    }
    check_near(runner.get(plan.parameters[p]), weight);
    check_near(runner.get(plan.moments[0][p]), moment);
  }
}

TEST_CASE("LeNet's plan as text") {
  const Model model = model_of(golden("lenet.graph"));
  CHECK(print(plan_of(model, wish_packed_weights)) == golden("lenet.plan"));
}

TEST_CASE("plans of LeNet and of a residual network compute what their graphs do") {
  for (const char* name : {"lenet.graph", "residual.graph"}) {
    const Model model = model_of(golden(name));
    for (const Lookup& lookup : {Lookup(wish_packed_weights), Lookup(wish_nothing)}) {
      const Plan plan = plan_of(model, lookup);
      check_arenas(plan);
      for (int64_t batch : {int64_t{1}, int64_t{3}, kCapacity}) {
        const std::string what = std::string(name) + " batch " + std::to_string(batch);
        INFO(what);
        check_inference(plan, model.inference, batch);
        check_training(plan, model, batch);
      }
      check_update(plan, model);
    }
  }
}

bool has_blocks(const Plan& plan, convoke_program program) {
  return std::ranges::any_of(plan.rows, [&](const PlanRow& row) {
    return row.program == program && image_block(plan.kernels[row.kernel].kernel) > 0;
  });
}

TEST_CASE("plans with blocks of images compute what their graphs do") {
  const Model model = model_of(golden("lenet.graph"));
  const Plan training = plan_of(model, wish_packed_weights, 16, 8);
  const Plan inference = make_plan({"g", 16, &model.inference, nullptr, {}, wish_packed_weights, 8}).value();
  check_arenas(training);
  check_arenas(inference);
  for (int64_t batch : {1, 8, 11, 16}) {
    INFO(batch);
    check_inference(training, model.inference, batch);
    check_training(training, model, batch);
    check_inference(inference, model.inference, batch);
  }
}

TEST_CASE("blocks of images: where the capacity is whole ones; in training, and in a library for inference alone") {
  const Model model = model_of(golden("lenet.graph"));
  CHECK_FALSE(has_blocks(plan_of(model, wish_packed_weights, 12, 8), CONVOKE_FORWARD));
  const Plan training = plan_of(model, wish_packed_weights, 16, 8);
  CHECK(has_blocks(training, CONVOKE_FORWARD));
  CHECK_FALSE(has_blocks(training, CONVOKE_INFER));
  const Plan inference = make_plan({"g", 16, &model.inference, nullptr, {}, wish_packed_weights, 8}).value();
  CHECK(has_blocks(inference, CONVOKE_INFER));
}

TEST_CASE("frozen parameters have no gradient and no moment, and the update leaves them alone") {
  const Model model = model_of(golden("residual.graph"), "stem.*|bn1.*");
  const Plan plan = plan_of(model, wish_packed_weights);
  CHECK(std::count(plan.gradients.begin(), plan.gradients.end(), -1) == 3);
  check_training(plan, model, 3);
  check_update(plan, model);
}

TEST_CASE("plans of random graphs compute what the graphs do") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Graph graph = eliminate_dead_code(random_graph(seed));
    const std::string what = "seed " + std::to_string(seed) + "\n" + print(graph);
    INFO(what);
    const Result<Plan> plan = make_plan({"random", 3, &graph, nullptr, {}, wish_packed_weights});
    REQUIRE_MESSAGE(plan.ok(), plan.status().message());
    check_arenas(*plan);
    for (int64_t batch : {1, 3}) check_inference(*plan, graph, batch);
  }
}

int64_t activation_bytes(const std::string& text) {
  const Graph graph = parse("graph g\n" + text).value();
  REQUIRE(verify(graph).ok());
  const Plan plan = make_plan({"g", 1, &graph, nullptr, {}, wish_nothing}).value();
  CHECK(plan.activation_lower_bound_bytes == plan.arena_bytes[core::kActivations]);
  return plan.arena_bytes[core::kActivations];
}

// 64 floats are 256 bytes.
TEST_CASE("elementwise results take over memory that nobody needs any more") {
  const std::string x = "%x = input() : f32[n,64]\n%y = input() : f32[n,64]\n";
  CHECK(activation_bytes(x + "%a = add(%x, %y) : f32[n,64]\noutput %a\n") == 512);
  CHECK(activation_bytes(x + "%a = add(%x, %y) : f32[n,64]\noutput %a\noutput %x\n") == 512);
  CHECK(activation_bytes(x + "%a = add(%x, %y) : f32[n,64]\noutput %a\noutput %x\noutput %y\n") == 768);
  // softmax reads around, so its result lies beside its operand.
  CHECK(activation_bytes("%x = input() : f32[n,64]\n%a = softmax(%x) : f32[n,64]\noutput %a\n") == 512);
  // A chain of takeovers: a over x, b over a.
  CHECK(activation_bytes("%x = input() : f32[n,64]\n%a = relu(%x) : f32[n,64]\n%s = softmax(%a) : f32[n,64]\n"
                         "%b = add(%a, %s) : f32[n,64]\noutput %b\n") == 512);
}

TEST_CASE("a model's image input may have a scalar's name") {
  const Graph graph = parse("graph g\n%step = input() : f32[n,64]\n%a = relu(%step) : f32[n,64]\noutput %a\n").value();
  const Plan plan = make_plan({"g", 1, &graph, nullptr, {}, wish_nothing}).value();
  CHECK(plan.buffers[plan.infer_inputs.at(0)].arena == core::kActivations);
}

}  // namespace
}  // namespace convoke
