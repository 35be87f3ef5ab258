// Networks that nobody wrote, through the whole compiler, trained for some steps beside the reference interpreter.
//   CONVOKE_SEED=N   the first seed, 1    CONVOKE_COUNT=N   how many in a row, 16
// A failure prints the model definition.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "runtime/base/file.h"
#include "tests/e2e/library.h"
#include "tests/e2e/reference.h"
#include "tests/random_graph/generate.h"

namespace convoke {
namespace {

constexpr float kLearningRate = 0.01f;
// Of max|b|: before and after the first update.
constexpr double kFirstTolerance = 1e-4, kLaterTolerance = 1e-3;

struct MicroBatch {
  Inputs inputs;
  Tensor labels;
  convoke_step step;
  bool update;  // behind it
};

// What one network is given.
struct Script {
  Environment weights;
  std::vector<Inputs> inferred;      // before training, and again after it
  std::vector<MicroBatch> training;  // none for a network that is not trained
};

// What it answers, in the order of the script.
struct Answer {
  std::string what;
  std::vector<double> values;
  double tolerance;
};
using Answers = std::vector<Answer>;

Tensor random_tensor(Random& random, std::vector<int64_t> dims, double middle, double bound) {
  Tensor tensor(std::move(dims));
  for (double& value : tensor.data) value = static_cast<float>(middle + random.uniform(bound));
  return tensor;
}

Tensor random_labels(Random& random, int64_t n, int64_t classes) {
  Tensor tensor({n});
  for (double& value : tensor.data) value = static_cast<double>(random.between(0, classes - 1));
  return tensor;
}

Environment random_weights(Random& random, const Graph& graph) {
  Environment weights;
  for (const Node& node : graph.nodes) {
    if (node.op != "parameter" && node.op != "state") continue;
    const auto& [name, type, defining, result] = graph.values[node.results[0]];
    const double fan_in = static_cast<double>(type.elems()) / static_cast<double>(type.dims[0]);
    weights[name] = type.rank() >= 2                ? random_tensor(random, type.dims, 0, std::sqrt(6 / fan_in))
                    : name.ends_with("running_var") ? random_tensor(random, type.dims, 1, 0.5)
                    : name.ends_with("weight")      ? random_tensor(random, type.dims, 1, 0.5)
                                                    : random_tensor(random, type.dims, 0, 0.5);
  }
  return weights;
}

// Batches of 1, the capacity and between; an accumulated step.
Script random_script(Random& random, const PlannedModel& planned, int64_t capacity) {
  Script script;
  script.weights = random_weights(random, planned.imported);
  const int64_t classes = planned.description.class_count;
  const auto inputs = [&](int64_t n) {
    Inputs tensors;
    for (const TensorDescription& input : planned.description.inputs) {
      std::vector<int64_t> dims = input.type.dims;
      dims[0] = n;
      tensors.push_back(random_tensor(random, dims, 0, 1));
    }
    return tensors;
  };
  const auto micro_batch = [&](int64_t n, convoke_step step, bool update) {
    script.training.push_back({inputs(n), random_labels(random, n, classes), step, update});
  };
  for (int64_t n : {capacity, int64_t{1}, random.between(1, capacity)}) script.inferred.push_back(inputs(n));
  if (!planned.description.has_training) return script;
  micro_batch(capacity, {0, 1}, true);
  micro_batch(random.between(1, capacity), {0, 1}, true);
  micro_batch(capacity, {0, 0.5f}, false);
  micro_batch(random.between(1, capacity), {1, 0.5f}, true);
  micro_batch(1, {0, 1}, true);
  return script;
}

void infer_by_reference(const PlannedModel& planned, const Script& script, Environment sources,
                        const Rounding& rounding, double tolerance, Answers& answers) {
  for (const Inputs& inputs : script.inferred) {
    for (size_t i = 0; i < inputs.size(); ++i) sources[planned.description.inputs[i].name] = inputs[i];
    const Environment values = interpret(planned.imported, sources, rounding);
    for (const TensorDescription& output : planned.description.outputs) {
      answers.push_back({"inferred " + output.name, values.at(output.name).data, tolerance});
    }
  }
}

Answers reference_answers(const PlannedModel& planned, const OptimizerOptions& optimizer, const Graph& training,
                          const Script& script, const Rounding& rounding = {}) {
  Answers answers;
  infer_by_reference(planned, script, script.weights, rounding, kFirstTolerance, answers);
  if (script.training.empty()) return answers;
  ReferenceTrainer trainer(training, optimizer, script.weights, rounding);
  double tolerance = kFirstTolerance;
  int64_t step = 0;
  for (const MicroBatch& batch : script.training) {
    const Environment values = trainer.forward_backward(batch.inputs, batch.labels, batch.step);
    answers.push_back({"loss", values.at("loss").data, tolerance});
    answers.push_back({"accuracy", values.at("accuracy").data, tolerance});
    for (const TensorDescription& parameter : planned.description.parameters) {
      const auto gradient = trainer.sources().find(parameter.name + ".grad");
      if (gradient == trainer.sources().end()) continue;
      answers.push_back({"gradient of " + parameter.name, gradient->second.data, tolerance});
    }
    if (!batch.update) continue;
    trainer.update(kLearningRate, ++step);
    tolerance = kLaterTolerance;
    for (const auto* tensors : {&planned.description.parameters, &planned.description.states}) {
      for (const TensorDescription& tensor : *tensors) {
        answers.push_back({tensor.name, trainer.sources().at(tensor.name).data, tolerance});
      }
    }
  }
  infer_by_reference(planned, script, trainer.sources(), rounding, tolerance, answers);
  return answers;
}

// In the same order as reference_answers().
std::vector<std::vector<float>> compiled_answers(const convoke_library* library, const Graph& training,
                                                 const Script& script, int threads) {
  std::vector<std::vector<float>> answers;
  Session session(library, script.weights, library->model->has_training, threads);
  const auto infer = [&] {
    for (const Inputs& inputs : script.inferred) {
      for (std::vector<float>& output : session.infer(inputs)) answers.push_back(std::move(output));
    }
  };
  const convoke_model& model = *library->model;
  infer();
  int64_t step = 0;
  for (const MicroBatch& batch : script.training) {
    const convoke_metrics metrics = session.forward_backward(batch.inputs, batch.labels, &batch.step);
    answers.push_back({metrics.loss});
    answers.push_back({metrics.accuracy});
    for (int i = 0; i < model.parameter_count; ++i) {
      const bool trained = find_value(training, std::string(model.parameters[i].name) + ".grad") != kNoValue;
      if (trained) answers.push_back(session.gradient(i));
    }
    if (!batch.update) continue;
    session.update(kLearningRate, ++step);
    for (int i = 0; i < model.parameter_count + model.state_count; ++i) answers.push_back(session.weight(i));
  }
  if (step > 0) infer();
  return answers;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::fabs(value));
  return most;
}

template <typename T>
double largest_difference(const std::vector<T>& a, const std::vector<double>& b) {
  double most = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= most)) most = difference;  // keeps a NaN
  }
  return most;
}

bool is_idle(const RandomModel& model, const std::string& what) {
  return std::ranges::any_of(model.idle_biases, [&](const std::string& bias) { return what == "gradient of " + bias; });
}

// A script whose answers change by less than a tenth of what is tolerated when every value in between is off by what
// float32 might do: no relu and no maximum near a tie, no batch norm of almost equal values, no gradient that cancels.
struct Question {
  Script script;
  Answers answers;
};
std::optional<Question> well_conditioned(const RandomModel& model, const PlannedModel& planned, const Graph& training,
                                         Random& random) {
  const Rounding rounding = [&](Tensor& value) {
    for (double& v : value.data) v *= 1 + random.uniform(2e-7);
  };
  for (int attempt = 0; attempt < 10; ++attempt) {
    Script script = random_script(random, planned, model.capacity);
    Answers answers = reference_answers(planned, model.optimizer, training, script);
    const Answers rounded = reference_answers(planned, model.optimizer, training, script, rounding);
    bool fine = true;
    for (size_t i = 0; i < answers.size() && fine; ++i) {
      const Answer& b = answers[i];
      fine = is_idle(model, b.what) ||
             largest_difference(rounded[i].values, b.values) <= 0.1 * b.tolerance * largest(b.values);
    }
    if (fine) return Question{std::move(script), std::move(answers)};
  }
  return std::nullopt;
}

struct Candidate {
  RandomModel model;
  PlannedModel planned;
  Graph training;  // before the passes that follow differentiation, so that they are compared too
};

Candidate plan_candidate(uint64_t seed, int attempt) {
  Candidate candidate{.model = random_model(seed, attempt)};
  const RandomModel& model = candidate.model;
  const std::string path = fmt::format("{}/random_graph_{}.textproto", CONVOKE_BINARY_DIR, seed);
  REQUIRE(write_file_atomic(path, model.definition).ok());
  const PlanObserver observer = {.training_pass = [&](std::string_view pass, const Graph& graph) {
    if (pass == "differentiate") candidate.training = graph;
  }};
  Result<PlannedModel> planned = plan_model({.model = path,
                                             .batch = model.capacity,
                                             .training = model.trained,
                                             .optimizer = model.optimizer,
                                             .label_smoothing = model.label_smoothing,
                                             .freeze = model.freeze},
                                            observer);
  const std::string error = planned.ok() ? "" : model.definition + planned.status().message();
  INFO(error);
  REQUIRE(planned.ok());
  candidate.planned = *std::move(planned);
  return candidate;
}

void check_answers(const RandomModel& model, const Answers& expected, const std::vector<std::vector<float>>& found) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const Answer& b = expected[i];
    INFO("answer ", i, ": ", b.what);
    REQUIRE(found[i].size() == b.values.size());
    const double scale = is_idle(model, b.what) ? 1 : largest(b.values);
    const double difference = largest_difference(found[i], b.values);
    INFO("differs by ", difference, " of ", scale);
    CHECK(difference <= b.tolerance * scale);
  }
}

void check_network(uint64_t seed) {
  Random random(seed);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Candidate candidate = plan_candidate(seed, attempt);
    const auto& [model, planned, training] = candidate;
    const std::optional<Question> question = well_conditioned(model, planned, training, random);
    if (!question) continue;
    fmt::print("CONVOKE_SEED={}: {} kernels\n", seed, planned.plan.kernels.size());
    INFO("CONVOKE_SEED=", seed, " CONVOKE_COUNT=1\n", model.definition);
    const convoke_library* library = compile_and_open(planned, fmt::format("random_{}", seed));
    const auto first = compiled_answers(library, training, question->script, 1);
    check_answers(model, question->answers, first);
    CHECK(compiled_answers(library, training, question->script, 2) == first);
    CHECK(compiled_answers(library, training, question->script, 3) == first);
    return;
  }
  FAIL("seed ", seed, ": no well-conditioned network");
}

int64_t environment(const char* name, int64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoll(value);
}

TEST_CASE("random networks compile, infer and train as the reference does, the same bits for 1, 2 and 3 threads") {
  const int64_t seed = environment("CONVOKE_SEED", 1), count = environment("CONVOKE_COUNT", 16);
  for (int64_t i = seed; i < seed + count; ++i) check_network(static_cast<uint64_t>(i));
}

}  // namespace
}  // namespace convoke
