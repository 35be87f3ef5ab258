// The zoo's small models as arm-64 libraries, run by convoke-run, against PyTorch's numbers (tests/golden).
#include "tests/golden/models.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "runtime/base/file.h"
#include "tests/arm/board.h"
#include "tests/golden/formula.h"
#include "tests/golden/golden.h"
#include "tests/ops/cases.h"

namespace convoke {
namespace {

constexpr double kLearningRate = 0.01;

struct BoardModel {
  PlannedModel planned;
  CompiledLibrary library;
  Golden golden;
  GoldenData data;
  double tolerance;
};

BoardModel compile(const std::string& model, int64_t n, const OptimizerOptions& optimizer, double tolerance) {
  BoardModel board = {.planned = plan_golden({.model = model, .target = kBoard, .batch = n, .optimizer = optimizer}),
                      .golden = read_golden(model),
                      .tolerance = tolerance};
  board.data = {board.golden.seed, {n, 28, 28, 1}, 10};
  const Result<CompiledLibrary> library = compile_planned(board.planned, board_options("models"));
  REQUIRE_MESSAGE(library.ok(), library.status().message());
  board.library = *library;
  return board;
}

// Batches one behind the other.
Tensor concatenate(const std::vector<Tensor>& batches) {
  Tensor all = batches[0];
  for (size_t i = 1; i < batches.size(); ++i) {
    all.dims[0] += batches[i].dims[0];
    all.data.insert(all.data.end(), batches[i].data.begin(), batches[i].data.end());
  }
  return all;
}

// The formula's weights, and so many batches of its data.
std::vector<NamedTensor> input_file(const BoardModel& board, int batches) {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : make_weights(board.planned.training, board.golden.seed)) {
    tensors.push_back(to_named(name, DType::kF32, tensor));
  }
  std::vector<Tensor> images, labels;
  for (int batch = 0; batch < batches; ++batch) {
    images.push_back(board.data.images(batch));
    labels.push_back(board.data.labels(batch));
  }
  tensors.push_back(to_named(board.planned.description.inputs[0].name, DType::kF32, concatenate(images)));
  tensors.push_back(to_named("labels", DType::kI32, concatenate(labels)));
  return tensors;
}

void check(const BoardModel& board, const std::string& golden_name, const Environment& found, const std::string& name) {
  REQUIRE(found.contains(name));
  check_golden(board.golden, golden_name, found.at(name).data, board.tolerance);
}

// What SGD makes of a parameter in its first step, in float32: v = g + wd·p, p - lr·v.
void check_sgd(const BoardModel& board, const Environment& train) {
  const Environment before = make_weights(board.planned.training, board.golden.seed);
  for (const TensorDescription& parameter : board.planned.description.parameters) {
    const Tensor& gradient = train.at(parameter.name + ".grad");
    Tensor velocity = before.at(parameter.name), after = velocity;
    for (size_t i = 0; i < after.data.size(); ++i) {
      velocity.data[i] = gradient.data[i] + kSgd.weight_decay * after.data[i];
      after.data[i] -= kLearningRate * velocity.data[i];
    }
    INFO(parameter.name);
    CHECK(first_difference(after, train.at(parameter.name).data, 0x1p-22) == "");
    CHECK(first_difference(velocity, train.at(parameter.name + ".momentum").data, 0x1p-22) == "");
  }
}

// Returns what the step leaves.
Environment check_first_step(const BoardModel& board) {
  const std::vector<NamedTensor> input = input_file(board, 1);
  const ModelDescription& model = board.planned.description;
  check(board, "logits/evaluation", run_on_board(board.library, "infer --threads 2", input), model.outputs[0].name);
  const Environment forward = run_on_board(board.library, "forward --threads 2", input);
  check(board, "logits/training", forward, model.outputs[0].name);
  const Environment train = run_on_board(board.library, fmt::format("train --lr {} --threads 2", kLearningRate), input);
  check(board, "loss", train, "loss");
  for (const TensorDescription& parameter : model.parameters) {
    check(board, "gradient/" + parameter.name, train, parameter.name + ".grad");
  }
  for (const TensorDescription& state : model.states) check(board, "after/" + state.name, train, state.name);
  return train;
}

Environment run_curve(const BoardModel& board, const LeNetCurve& curve, int threads) {
  const std::string arguments = fmt::format("train --steps 20 --lr {} --threads {}", curve.learning_rate, threads);
  return run_on_board(board.library, arguments, input_file(board, 4));
}

TEST_CASE("LeNet on arm-64: logits, loss, gradients, 20 steps of SGD and of Adam, the same bits by any threads") {
  for (const LeNetCurve& curve : kLeNetCurves) {
    const BoardModel board = compile("lenet", 6, curve.optimizer, 1e-4);
    const Environment first = check_first_step(board);
    if (curve.optimizer.kind == OptimizerOptions::kSgd) check_sgd(board, first);
    const Environment trained = run_curve(board, curve, 1);
    check(board, curve.name, trained, "loss");
    for (const auto& [name, tensor] : run_curve(board, curve, 3)) {
      INFO(name);
      CHECK((tensor.data == trained.at(name).data));
    }
  }
}

TEST_CASE("resnet18_small on arm-64: logits in both modes, loss, gradients, running statistics, an SGD step") {
  const BoardModel board = compile("resnet18_small", 3, kSgd, 1e-3);
  check_sgd(board, check_first_step(board));
}

TEST_CASE("weights saved on arm-64 and opened again infer the same bits") {
  const BoardModel board = compile("resnet18_small", 3, kSgd, 1e-3);
  const std::vector<NamedTensor> input = input_file(board, 1);
  const std::string output = board.planned.description.outputs[0].name;
  const TemporaryDirectory files = TemporaryDirectory::make().value();
  const std::string path = files.path() + "/kept.weights";
  save_on_board(board.library, input, path);
  const std::vector<NamedTensor> images(input.end() - 2, input.end());  // and labels: no weights
  const Environment opened = run_on_board(board.library, "infer --weights " + path, images);
  CHECK((opened.at(output).data == run_on_board(board.library, "infer", input).at(output).data));
}

}  // namespace
}  // namespace convoke
