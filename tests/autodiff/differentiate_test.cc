// Whole graphs: gradients of the loss against finite differences of the interpreted loss, in double.
#include "compiler/autodiff/differentiate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "compiler/autodiff/update.h"
#include "compiler/ir/text.h"
#include "compiler/ops/interpreter.h"
#include "compiler/ops/op.h"

namespace convoke {
namespace {

// A small LeNet, a residual block with batch normalisation and groups, and two outputs that share a trunk.
constexpr const char* kGraphs[] = {
    R"(graph lenet
%input = input() : f32[n,8,8,1]
%conv1.weight = parameter() : f32[3,1,5,5]
%conv1.bias = parameter() : f32[3]
%fc.weight = parameter() : f32[4,48]
%fc.bias = parameter() : f32[4]
%conv1 = conv2d(%input, %conv1.weight, %conv1.bias) {dilation=[1,1], groups=1, padding=[2,2,2,2], stride=[1,1]} : f32[n,8,8,3]
%tanh1 = tanh(%conv1) : f32[n,8,8,3]
%pool1 = avg_pool2d(%tanh1) {count_include_pad=1, kernel_size=[2,2], padding=[0,0,0,0], stride=[2,2]} : f32[n,4,4,3]
%flatten = flatten(%pool1) : f32[n,48]
%fc = linear(%flatten, %fc.weight, %fc.bias) : f32[n,4]
output %fc
)",
    R"(graph residual
%input = input() : f32[n,5,7,2]
%conv1.weight = parameter() : f32[4,2,3,3]
%bn1.weight = parameter() : f32[4]
%bn1.bias = parameter() : f32[4]
%conv2.weight = parameter() : f32[4,2,3,2]
%conv2.bias = parameter() : f32[4]
%fc.weight = parameter() : f32[3,4]
%conv1 = conv2d(%input, %conv1.weight) {dilation=[1,1], groups=1, padding=[1,1,1,1], stride=[1,2]} : f32[n,5,4,4]
%bn1, %bn1.mean, %bn1.var = batch_norm2d_train(%conv1, %bn1.weight, %bn1.bias) {epsilon=1e-05} : f32[n,5,4,4], f32[4], f32[4]
%act1 = sigmoid(%bn1) : f32[n,5,4,4]
%conv2 = conv2d(%act1, %conv2.weight, %conv2.bias) {dilation=[1,1], groups=2, padding=[1,1,1,0], stride=[1,1]} : f32[n,5,4,4]
%add = add(%conv2, %act1) : f32[n,5,4,4]
%pool = global_avg_pool2d(%add) : f32[n,1,1,4]
%fc = linear(%pool, %fc.weight) : f32[n,3]
output %fc
)",
    R"(graph two_outputs
%input = input() : f32[n,6]
%trunk.weight = parameter() : f32[5,6]
%a.weight = parameter() : f32[3,5]
%b.weight = parameter() : f32[4,5]
%trunk = linear(%input, %trunk.weight) : f32[n,5]
%act = tanh(%trunk) : f32[n,5]
%a = linear(%act, %a.weight) : f32[n,3]
%b = linear(%act, %b.weight) : f32[n,4]
output %a
output %b
)"};

constexpr int64_t kSamples = 3;

// Some values in -1..1 that differ from tensor to tensor.
Tensor formula(const Type& type, size_t seed) {
  std::vector<int64_t> dims = type.dims;
  if (type.has_batch()) dims[0] = kSamples;
  Tensor tensor(dims);
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    tensor.data[i] = type.dtype == DType::kI32 ? static_cast<double>(i % 3) : std::sin(1.0 + 1.7 * seed + 0.9 * i);
  }
  return tensor;
}

Environment sources_of(const Graph& graph) {
  Environment sources;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.is_source_value(static_cast<ValueId>(i)))
      sources[graph.values[i].name] = formula(graph.values[i].type, i);
  }
  sources["loss_scale"].data = {1};
  sources["accumulate"].data = {0};
  return sources;
}

double loss(const Graph& graph, const Environment& sources) { return interpret(graph, sources).at("loss").data[0]; }

// ⟨gradient, direction⟩ against (loss(p + h·direction) − loss(p − h·direction)) / 2h.
void check_gradient(const Graph& graph, const Environment& sources, const std::string& parameter) {
  const std::string what = graph.name + " " + parameter;
  INFO(what);
  constexpr double kStep = 1e-5;
  const Tensor gradient = interpret(graph, sources).at(parameter + ".accumulated");
  Environment ahead = sources, behind = sources;
  double expected = 0;
  for (size_t i = 0; i < gradient.data.size(); ++i) {
    const double direction = std::cos(3.0 * static_cast<double>(i));
    expected += gradient.data[i] * direction;
    ahead[parameter].data[i] += kStep * direction;
    behind[parameter].data[i] -= kStep * direction;
  }
  const double found = (loss(graph, ahead) - loss(graph, behind)) / (2 * kStep);
  CHECK(found == doctest::Approx(expected).epsilon(1e-6));
}

TEST_CASE("gradients of every parameter against finite differences") {
  for (const char* text : kGraphs) {
    auto forward = parse(text);
    REQUIRE_MESSAGE(forward.ok(), forward.status().message());
    auto graph = differentiate(*forward, {.label_smoothing = 0.1});
    REQUIRE_MESSAGE(graph.ok(), graph.status().message());
    const Status status = verify(*graph);
    REQUIRE_MESSAGE(status.ok(), status.message());
    CHECK(print(*parse(print(*graph))) == print(*graph));
    const Environment sources = sources_of(*graph);
    for (const Node& node : forward->nodes) {
      if (node.op == "parameter") check_gradient(*graph, sources, forward->values[node.results[0]].name);
    }
  }
}

TEST_CASE("accumulation adds, and never looks at the old gradient without the flag") {
  const Graph graph = *differentiate(*parse(kGraphs[2]), {});
  Environment sources = sources_of(graph);
  sources["a.weight.grad"].data.assign(15, std::nan(""));
  const Tensor once = interpret(graph, sources).at("a.weight.accumulated");
  sources["a.weight.grad"] = once;
  sources["accumulate"].data = {1};
  const Tensor twice = interpret(graph, sources).at("a.weight.accumulated");
  for (size_t i = 0; i < once.data.size(); ++i) CHECK(twice.data[i] == doctest::Approx(2 * once.data[i]));
}

TEST_CASE("frozen layers have no gradients and no backward nodes") {
  const Graph graph = *differentiate(*parse(kGraphs[2]), {.freeze = "trunk.*"});
  CHECK(find_value(graph, "trunk.weight.grad") == kNoValue);
  CHECK(find_value(graph, "a.weight.grad") != kNoValue);
  for (const Node& node : graph.nodes) CHECK(node.op != "tanh_backward");
}

TEST_CASE("outputs that cannot be trained are named") {
  const Graph image = *parse("graph g\n%x = input() : f32[n,4,4,2]\n%y = relu(%x) : f32[n,4,4,2]\noutput %y\n");
  CHECK(differentiate(image, {}).status().message() ==
        "output \"y\" is f32[n,4,4,2], expected logits f32[n,classes] to train with cross entropy");
}

TEST_CASE("names that training uses are refused") {
  for (const char* name : {"labels", "loss_scale", "accumulate", "loss", "accuracy", "y.grad", "w.grad"}) {
    INFO(name);
    const std::string layer = "%" + std::string(name);
    const Graph graph = parse("graph g\n%x = input() : f32[n,3]\n%w = parameter() : f32[2,3]\n" + layer +
                              " = relu(%x) : f32[n,3]\n%y = linear(" + layer + ", %w) : f32[n,2]\noutput %y\n")
                            .value();
    CHECK(differentiate(graph, {}).status().message() ==
          "\"" + std::string(name) + "\" is a name that training uses itself; give the layer another");
  }
}

TEST_CASE("update graphs store what the optimizers compute") {
  for (auto kind : {OptimizerOptions::kSgd, OptimizerOptions::kAdam, OptimizerOptions::kAdamW}) {
    const Graph graph = update_graph({.kind = kind, .weight_decay = 0.1}, 7);
    CHECK(verify(graph).ok());
    Environment sources = sources_of(graph);
    sources["step"] = Tensor(std::vector<int64_t>{});
    sources["step"].data = {1};
    const Environment before = sources;
    apply_stores(graph, interpret(graph, sources), sources);
    CHECK(sources.at("parameters").data != before.at("parameters").data);
    CHECK(sources.at("gradients").data == before.at("gradients").data);
    CHECK(graph.stores.size() == (kind == OptimizerOptions::kSgd ? 2 : 3));
  }
}

}  // namespace
}  // namespace convoke
