// LeNet through every stage: graph, autodiff, plan, kernels, library; its numbers against the interpreter's.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "compiler/ir/text.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "tests/e2e/library.h"

namespace convoke {
namespace {

constexpr const char* kLeNet = R"(graph lenet
%input = input() : f32[n,28,28,1]
%conv1.weight = parameter() : f32[6,1,5,5]
%conv1.bias = parameter() : f32[6]
%conv2.weight = parameter() : f32[16,6,5,5]
%conv2.bias = parameter() : f32[16]
%fc1.weight = parameter() : f32[120,400]
%fc1.bias = parameter() : f32[120]
%fc2.weight = parameter() : f32[84,120]
%fc2.bias = parameter() : f32[84]
%fc3.weight = parameter() : f32[10,84]
%fc3.bias = parameter() : f32[10]
%conv1 = conv2d(%input, %conv1.weight, %conv1.bias) {dilation=[1,1], groups=1, padding=[2,2,2,2], stride=[1,1]} : f32[n,28,28,6]
%relu1 = relu(%conv1) : f32[n,28,28,6]
%pool1 = avg_pool2d(%relu1) {count_include_pad=1, kernel_size=[2,2], padding=[0,0,0,0], stride=[2,2]} : f32[n,14,14,6]
%conv2 = conv2d(%pool1, %conv2.weight, %conv2.bias) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,10,10,16]
%relu2 = relu(%conv2) : f32[n,10,10,16]
%pool2 = avg_pool2d(%relu2) {count_include_pad=1, kernel_size=[2,2], padding=[0,0,0,0], stride=[2,2]} : f32[n,5,5,16]
%flatten = flatten(%pool2) : f32[n,400]
%fc1 = linear(%flatten, %fc1.weight, %fc1.bias) : f32[n,120]
%relu3 = relu(%fc1) : f32[n,120]
%fc2 = linear(%relu3, %fc2.weight, %fc2.bias) : f32[n,84]
%relu4 = relu(%fc2) : f32[n,84]
%fc3 = linear(%relu4, %fc3.weight, %fc3.bias) : f32[n,10]
output %fc3
)";

// Values from a formula, weights scaled by 1/√fan-in.
Environment make_sources(const Graph& graph, int64_t batch) {
  Environment sources;
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.is_source_value(static_cast<ValueId>(v))) continue;
    const Type& type = graph.values[v].type;
    std::vector<int64_t> dims = type.dims;
    if (type.has_batch()) dims[0] = batch;
    Tensor tensor(dims);
    const double scale = dims.size() >= 2 && !type.has_batch() ? std::sqrt(dims[0] * 3.0 / tensor.elems()) : 1.0;
    for (size_t i = 0; i < tensor.data.size(); ++i) {
      const double value = std::fmod(std::sin(0.37 + v * 1.3 + i * 12.9898) * 43758.5453, 1.0);
      tensor.data[i] = type.dtype == DType::kI32 ? i % 10 : static_cast<float>(value * scale);
    }
    sources[graph.values[v].name] = std::move(tensor);
  }
  sources["loss_scale"].data = {1};
  sources["accumulate"].data = {0};
  return sources;
}

void check_close(const std::vector<float>& found, const Tensor& expected, double tolerance) {
  REQUIRE(found.size() == expected.data.size());
  double most = 0, difference = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    most = std::max(most, std::fabs(expected.data[i]));
    difference = std::max(difference, std::fabs(found[i] - expected.data[i]));
  }
  INFO(difference, " of ", most);
  CHECK(difference <= tolerance * most);
}

void check_lenet(const std::string& name, int64_t capacity, const std::vector<int64_t>& batches) {
  const Graph model = *parse(kLeNet);
  const Graph inference = inference_pipeline(model);
  const Graph training = training_pipeline(*differentiate(training_forward_pipeline(model), {}));
  REQUIRE(verify(training).ok());
  const OptimizerOptions optimizer = {.momentum = 0.9, .weight_decay = 0.01};
  const convoke_library* library = compile_and_open(name, {&inference, &training, optimizer, capacity});
  CHECK(library->model->parameter_count == 10);

  for (int64_t n : batches) {
    const Environment sources = make_sources(training, n);
    const Environment expected = interpret(training, sources);
    std::vector<std::vector<std::vector<float>>> bits;
    for (int threads : {1, 2, 3}) {
      const std::string what = fmt::format("n {} threads {}", n, threads);
      INFO(what);
      Session session(library, sources, 1, threads);
      check_close(session.infer({sources.at("input")})[0], expected.at("fc3"), 1e-5);
      const convoke_metrics metrics = session.forward_backward({sources.at("input")}, sources.at("labels"));
      CHECK(metrics.loss == doctest::Approx(expected.at("loss").data[0]).epsilon(1e-5));
      CHECK(metrics.accuracy == doctest::Approx(expected.at("accuracy").data[0]));
      for (int p = 0; p < library->model->parameter_count; ++p) {
        const std::string name = library->model->parameters[p].name;
        INFO(name);
        check_close(session.gradient(p), expected.at(name + ".accumulated"), 1e-4);
      }
      std::vector<std::vector<float>>& state = bits.emplace_back();
      for (int step = 1; step <= 5; ++step) {
        if (step > 1) session.forward_backward({sources.at("input")}, sources.at("labels"));
        session.update(0.05f, step);
      }
      for (int p = 0; p < library->model->parameter_count; ++p) state.push_back(session.weight(p));
      CHECK(state == bits[0]);
    }
  }
}

TEST_CASE("LeNet: logits, loss, gradients and SGD steps as the interpreter's, the same bits for 1, 2 and 3 threads") {
  check_lenet("lenet", 5, {5, 1, 3});
}

TEST_CASE("LeNet likewise where images lie in blocks, whole ones or not") { check_lenet("lenet_images", 32, {17, 32}); }

TEST_CASE("a library for inference alone, where images lie in blocks") {
  const Graph inference = inference_pipeline(*parse(kLeNet));
  const convoke_library* library = compile_and_open("lenet_inference", {&inference, nullptr, {}, 32});
  for (int64_t n : {17, 1, 32}) {
    const Environment sources = make_sources(inference, n);
    Session session(library, sources, 0, 2);
    check_close(session.infer({sources.at("input")})[0], interpret(inference, sources).at("fc3"), 1e-5);
  }
}

TEST_CASE("frozen layers keep their weights, whatever the optimizer's decay, and have no gradients") {
  const Graph model = *parse(kLeNet);
  const Graph inference = inference_pipeline(model);
  const Graph training = training_pipeline(*differentiate(training_forward_pipeline(model), {.freeze = "conv.*"}));
  const OptimizerOptions optimizer = {.momentum = 0.9, .weight_decay = 0.1};
  const convoke_library* library = compile_and_open("lenet_frozen", {&inference, &training, optimizer, 2});
  const Environment sources = make_sources(training, 2);
  Session session(library, sources, 1, 1);
  session.forward_backward({sources.at("input")}, sources.at("labels"));
  session.update(0.05f, 1);
  for (int p = 0; p < library->model->parameter_count; ++p) {
    const std::string name = library->model->parameters[p].name;
    INFO(name);
    const std::vector<double>& before = sources.at(name).data;
    CHECK((session.weight(p) == std::vector<float>(before.begin(), before.end())) == name.starts_with("conv"));
  }
}

}  // namespace
}  // namespace convoke
