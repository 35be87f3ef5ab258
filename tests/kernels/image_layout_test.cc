// Which kernels get their activations in blocks of images, and where copies stand.
#include "compiler/kernels/image_layout.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "compiler/ir/text.h"
#include "compiler/ops/op.h"
#include "tests/kernels/wishes.h"

namespace convoke {
namespace {

constexpr int64_t kImages = 8;

// x of `in` channels -> a: `few` -> b: `many` -> y.
Graph network(int in, int few, int many) {
  const std::string text = fmt::format(
      R"(graph g
%x = input() : f32[n,28,28,{0}]
%v = parameter() : f32[{1},{0},5,5]
%w = parameter() : f32[{2},{1},5,5]
%fc = parameter() : f32[10,{3}]
%a = conv2d(%x, %v) {{dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]}} : f32[n,24,24,{1}]
%b = conv2d(%a, %w) {{dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[4,4]}} : f32[n,5,5,{2}]
%y = linear(%b, %fc) : f32[n,10]
output %y
)",
      in, few, many, 25 * many);
  const Result<Graph> graph = parse(text);
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  REQUIRE(verify(*graph).ok());
  return *graph;
}

// Knows convolutions in blocks of images, and what lies plain.
Result<Instance> know_convolutions(const Kernel& kernel, int64_t samples) {
  const bool is_linear = kernel.anchor != kNoAnchor && kernel.body.nodes[kernel.anchor].op == "linear";
  if (is_linear && image_block(kernel) > 0) return not_found("no template");
  return wish_nothing(kernel, samples);
}

// "a: x.packed0* v -> a*": a star is a block's.
std::string text_of(const Graph& graph, const Lookup& lookup) {
  ScheduledGraph scheduled = schedule(graph, kImages, lookup, {}, kImages).value();
  REQUIRE(assign_layouts(scheduled, {}, lookup).ok());
  std::string text;
  const auto add = [&](const std::vector<OperandId>& operands, const std::vector<Layout>& layouts) {
    for (size_t i = 0; i < operands.size(); ++i) {
      CHECK(layouts[i] == scheduled.layout(operands[i]));
      text += " " + scheduled.name(operands[i]) + (layouts[i].images == kImages ? "*" : "");
    }
  };
  for (const ScheduledCall& call : scheduled.calls) {
    text += call.name + ":";
    add(call.inputs, call.kernel.input_layouts);
    text += " ->";
    add(call.outputs, call.kernel.output_layouts);
    text += "\n";
  }
  return text;
}

constexpr const char* kPlain =
    "a: x v -> a\n"
    "b: a w -> b\n"
    "y: b fc -> y\n";

TEST_CASE("kernels of few channels, and neighbours up to two vectors of them, with copies at the borders") {
  CHECK(text_of(network(4, 6, 16), know_convolutions) ==
        "x.packed0: x -> x.packed0*\n"
        "a: x.packed0* v -> a*\n"
        "b: a* w -> b*\n"
        "b.packed1: b* -> b.packed1\n"
        "y: b.packed1 fc -> y\n");
  CHECK(text_of(network(4, 6, 17), know_convolutions) ==
        "x.packed0: x -> x.packed0*\n"
        "a: x.packed0* v -> a*\n"
        "a.packed1: a* -> a.packed1\n"
        "b: a.packed1 w -> b\n"
        "y: b fc -> y\n");
}

TEST_CASE("nothing where channels fill the vectors: an input of one channel is none that is made") {
  CHECK(text_of(network(1, 8, 16), know_convolutions) == kPlain);
}

TEST_CASE("nothing where no template knows blocks") {
  const auto know_nothing = [](const Kernel& kernel, int64_t samples) -> Result<Instance> {
    if (image_block(kernel) > 0) return not_found("no template");
    return wish_nothing(kernel, samples);
  };
  CHECK(text_of(network(4, 6, 16), know_nothing) == kPlain);
}

TEST_CASE("nothing where copies cost more than full vectors save") {
  CHECK(text_of(network(1, 6, 17), know_convolutions) == kPlain);
}

TEST_CASE("what leaves the graph lies plain") {
  const Graph graph = parse(R"(graph g
%x = input() : f32[n,9,9,1]
%v = parameter() : f32[3,1,3,3]
%a = conv2d(%x, %v) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,7,7,3]
output %a
)")
                          .value();
  CHECK(text_of(graph, know_convolutions) == "a: x v -> a\n");
}

}  // namespace
}  // namespace convoke
