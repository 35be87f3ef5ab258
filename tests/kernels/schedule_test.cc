// Layout assignment: parameters as their forward kernels wish, gradients likewise, packed copies for other readers.
#include "compiler/kernels/schedule.h"

#include <doctest/doctest.h>

#include "compiler/autodiff/differentiate.h"
#include "compiler/ir/text.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "tests/kernels/wishes.h"

namespace convoke {
namespace {

constexpr int64_t kCapacity = 4;

constexpr const char* kTwoConvolutions = R"(graph g
%x = input() : f32[n,4,4,3]
%w = parameter() : f32[6,3,1,1]
%v = parameter() : f32[6,6,1,1]
%fc = parameter() : f32[10,96]
%a = conv2d(%x, %w) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,4,4,6]
%b = conv2d(%a, %v) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,4,4,6]
%c = conv2d(%b, %v) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,4,4,6]
%y = linear(%c, %fc) : f32[n,10]
output %y
)";

Graph read(const std::string& text) {
  const Result<Graph> graph = parse(text);
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  REQUIRE(verify(*graph).ok());
  return *graph;
}

ScheduledGraph assigned(const Graph& graph, const Lookup& lookup, const LayoutMap* parameters = nullptr) {
  Result<ScheduledGraph> scheduled = schedule(graph, kCapacity, lookup);
  REQUIRE_MESSAGE(scheduled.ok(), scheduled.status().message());
  const LayoutMap wishes = preferred_parameter_layouts(*scheduled);
  const Status status = assign_layouts(*scheduled, parameters != nullptr ? *parameters : wishes, lookup);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return *scheduled;
}

// "forward conv: x, w (layout)", one line a call.
std::string text_of(const ScheduledGraph& scheduled) {
  std::string text;
  for (const ScheduledCall& call : scheduled.calls) {
    text += std::string(to_string(call.phase)) + " " + call.name + ":";
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      CHECK(call.kernel.input_layouts[i] == scheduled.layout(call.inputs[i]));
      text += " " + scheduled.name(call.inputs[i]);
      if (!call.kernel.input_layouts[i].plain()) text += " " + to_string(call.kernel.input_layouts[i]);
    }
    text += " ->";
    for (size_t o = 0; o < call.outputs.size(); ++o) {
      CHECK(call.kernel.output_layouts[o] == scheduled.layout(call.outputs[o]));
      text += " " + scheduled.name(call.outputs[o]);
      if (!call.kernel.output_layouts[o].plain()) text += " " + to_string(call.kernel.output_layouts[o]);
    }
    text += "\n";
  }
  return text;
}

TEST_CASE("the first forward reader's wish is a parameter's layout") {
  const Graph graph = read(kTwoConvolutions);
  const LayoutMap layouts = preferred_parameter_layouts(schedule(graph, kCapacity, wish_packed_weights).value());
  REQUIRE(layouts.size() == 3);
  CHECK(to_string(layouts.at("w")) == "(6,3,1,1)0/8.2.3.1.0%8");
  CHECK(to_string(layouts.at("fc")) == "(10,6,4,4)0/8.2.3.1.0%8");
  CHECK(preferred_parameter_layouts(schedule(graph, kCapacity, wish_nothing).value()).empty());
}

TEST_CASE("inference: a weight stored otherwise is packed once, in prepare") {
  const Graph graph = read(kTwoConvolutions);
  const LayoutMap plain;
  CHECK(text_of(assigned(graph, wish_packed_weights, &plain)) ==
        "prepare w.packed0: w -> w.packed0 (6,3,1,1)0/8.2.3.1.0%8\n"
        "prepare v.packed1: v -> v.packed1 (6,6,1,1)0/8.2.3.1.0%8\n"
        "prepare fc.packed2: fc -> fc.packed2 (10,6,4,4)0/8.2.3.1.0%8\n"
        "forward a: x w.packed0 (6,3,1,1)0/8.2.3.1.0%8 -> a\n"
        "forward b: a v.packed1 (6,6,1,1)0/8.2.3.1.0%8 -> b\n"
        "forward c: b v.packed1 (6,6,1,1)0/8.2.3.1.0%8 -> c\n"
        "forward y: c fc.packed2 (10,6,4,4)0/8.2.3.1.0%8 -> y\n");
}

TEST_CASE("a reader without a wish takes a weight as it is stored") {
  const Graph graph = read(kTwoConvolutions);
  const LayoutMap stored = {{"v", packed_weights({6, 6, 1, 1}, 4)}};
  const std::string text = text_of(assigned(graph, wish_nothing, &stored));
  CHECK(text.find("forward b: a v (6,6,1,1)0/4.2.3.1.0%4 -> b\n") != std::string::npos);
  CHECK(text.find("packed") == std::string::npos);
}

TEST_CASE("training: gradients lie as their parameters, copies are packed in front of their first reader") {
  const Graph training = training_pipeline(*differentiate(training_forward_pipeline(read(kTwoConvolutions)), {}));
  const ScheduledGraph scheduled = assigned(training, wish_packed_weights);
  CHECK(text_of(scheduled) ==
        "forward a: x w (6,3,1,1)0/8.2.3.1.0%8 -> a\n"
        "forward b: a v (6,6,1,1)0/8.2.3.1.0%8 -> b\n"
        "forward c: b v (6,6,1,1)0/8.2.3.1.0%8 -> c\n"
        "forward y: c fc (10,6,4,4)0/8.2.3.1.0%8 -> y\n"
        "loss loss: y labels -> loss\n"
        "loss y.grad: y labels loss_scale -> y.grad\n"
        "loss accuracy: y labels -> accuracy\n"
        "backward fc.packed0: fc (10,6,4,4)0/8.2.3.1.0%8 -> fc.packed0 (10,6,4,4)1/4.2.3.0.1%4\n"
        "backward y.backward: y.grad fc.packed0 (10,6,4,4)1/4.2.3.0.1%4 -> y.backward\n"
        "backward y.backward.weight+fc.accumulated: y.grad c fc.grad (10,6,4,4)0/8.2.3.1.0%8 accumulate -> "
        "fc.accumulated (10,6,4,4)0/8.2.3.1.0%8\n"
        "backward v.packed1: v (6,6,1,1)0/8.2.3.1.0%8 -> v.packed1 (6,6,1,1)1/4.2.3.0.1%4\n"
        "backward c.backward: y.backward v.packed1 (6,6,1,1)1/4.2.3.0.1%4 -> c.backward\n"
        "backward c.backward.weight: y.backward b -> c.backward.weight\n"
        "backward b.backward: c.backward v.packed1 (6,6,1,1)1/4.2.3.0.1%4 -> b.backward\n"
        "backward b.backward.weight+v.sum+v.accumulated: c.backward a c.backward.weight v.grad (6,6,1,1)0/8.2.3.1.0%8 "
        "accumulate -> v.accumulated (6,6,1,1)0/8.2.3.1.0%8\n"
        "backward a.backward.weight+w.accumulated: b.backward x w.grad (6,3,1,1)0/8.2.3.1.0%8 accumulate -> "
        "w.accumulated (6,3,1,1)0/8.2.3.1.0%8\n");
}

TEST_CASE("values made in prepare lie as their first reader wishes") {
  const Graph graph = read(R"(graph g
%x = input() : f32[n,4,4,3]
%w = parameter() : f32[6,3,1,1]
%g = parameter() : f32[6]
prepare:
%folded = batch_norm_fold_weights(%w, %g, %g) {epsilon=0.1} : f32[6,3,1,1]
forward:
%a = conv2d(%x, %folded) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,4,4,6]
output %a
)");
  const LayoutMap plain;
  CHECK(text_of(assigned(graph, wish_packed_weights, &plain)) ==
        "prepare folded: w g -> folded (6,3,1,1)0/8.2.3.1.0%8\n"
        "forward a: x folded (6,3,1,1)0/8.2.3.1.0%8 -> a\n");
}

TEST_CASE("a weight that a reader wishes transformed is stored in the same order, and packed from there") {
  const Graph graph = read(R"(graph g
%x = input() : f32[n,4,4,3]
%w = parameter() : f32[6,3,3,3]
%a = conv2d(%x, %w) {dilation=[1,1], groups=1, padding=[1,1,1,1], stride=[1,1]} : f32[n,4,4,6]
output %a
)");
  const auto wish = [](const Kernel& kernel, int64_t samples) -> Result<Instance> {
    ASSIGN_OR_RETURN(Instance instance, wish_packed_weights(kernel, samples));
    if (kernel.anchor != kNoAnchor) instance.layouts.inputs[1].transform = {.tile_y = 4, .tile_x = 4};
    return instance;
  };
  const LayoutMap stored = preferred_parameter_layouts(schedule(graph, kCapacity, wish).value());
  CHECK(to_string(stored.at("w")) == "(6,3,3,3)0/8.2.3.1.0%8");
  CHECK(text_of(assigned(graph, wish, &stored)) ==
        "prepare w.packed0: w (6,3,3,3)0/8.2.3.1.0%8 -> w.packed0 winograd4:(6,3,3,3)0/8.2.3.1.0%8\n"
        "forward a: x w.packed0 winograd4:(6,3,3,3)0/8.2.3.1.0%8 -> a\n");
}

TEST_CASE("a failing lookup is an error that names the kernel") {
  const Graph graph = read(kTwoConvolutions);
  auto refuse = [](const Kernel& kernel, int64_t samples) -> Result<Instance> {
    if (kernel.anchor != kNoAnchor && kernel.body.nodes[kernel.anchor].op == "linear") return not_found("no template");
    return wish_nothing(kernel, samples);
  };
  CHECK(schedule(graph, kCapacity, refuse).status().message() == "kernel y: no template");
}

TEST_CASE("a pack that no template takes is an error that names the copy") {
  const Graph graph = read(kTwoConvolutions);
  auto refuse = [](const Kernel& kernel, int64_t samples) -> Result<Instance> {
    if (kernel.anchor == kNoAnchor) return not_found("no template");
    return wish_packed_weights(kernel, samples);
  };
  Result<ScheduledGraph> scheduled = schedule(graph, kCapacity, refuse);
  REQUIRE(scheduled.ok());
  CHECK(assign_layouts(*scheduled, {}, refuse).message() == "kernel w.packed0: no template");
}

}  // namespace
}  // namespace convoke
