#include "compiler/ir/text.h"

#include <doctest/doctest.h>

#include "compiler/ir/builder.h"
#include "compiler/ir/verify.h"

namespace convoke {
namespace {

// One op is enough here: two results, the type of the first operand and bytes of the same shape.
Result<std::vector<Type>> infer(std::string_view op, const Attrs&, std::span<const Type> inputs) {
  if (op != "twin") return invalid_argument("unknown op");
  return std::vector<Type>{inputs[0], {DType::kU8, inputs[0].dims}};
}

constexpr const char* kText =
    "graph sample\n"
    "%input = input() : f32[n,28,28,1]\n"
    "%layer1.0.weight = parameter() {init=\"say \\\"hi\\\"\", init_value=0.25} : f32[6,1,5,5]\n"
    "%mean = state() {arena=\"state\"} : f32[n,28,28,1]\n"
    "%rate = input() : f32[]\n"
    "%y, %y.1 = twin(%input, %layer1.0.weight) {a=-3, b=1e-05, c=[], d=[1,2], e=2.0} : f32[n,28,28,1], u8[n,28,28,1]\n"
    "backward:\n"
    "%z, %z.1 = twin(%y) : f32[n,28,28,1], u8[n,28,28,1]\n"
    "store %mean, %z\n"
    "output %z.1\n";

TEST_CASE("a graph reads back as it was printed") {
  auto graph = parse(kText);
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  CHECK_EQ(print(*graph), kText);
  CHECK(verify(*graph, infer).ok());
  CHECK(graph->nodes[5].phase == Phase::kBackward);
  CHECK_EQ(users(*graph)[find_value(*graph, "y")], std::vector<NodeId>{5});
}

TEST_CASE("parse errors carry the line") {
  auto message = [](const char* text) { return parse(text).status().message(); };
  CHECK_EQ(message("graph g\n%a = input() : f32[n\n"), "line 2: expected ']' at ''");
  CHECK_EQ(message("graph g\n%a = relu(%b) : f32[n]\n"), "line 2: no value %b at ') : f32[n]'");
  CHECK_EQ(message("%a = input() : f32[2]\n%a = input() : f32[2]\n"), "line 2: %a is defined twice at ''");
}

TEST_CASE("the builder names results and copies nodes") {
  Builder builder("g", infer);
  ValueId x = builder.input("x", f32({kBatch, 4}));
  std::vector<ValueId> a = builder.add("a", "twin", {x});
  std::vector<ValueId> b = builder.add("a", "twin", {a[0]});
  builder.output(b[0]);
  Graph graph = std::move(builder).take();
  CHECK_EQ(graph.values[a[1]].name, "a.1");
  CHECK_EQ(graph.values[b[0]].name, "a.2");
  CHECK(verify(graph, infer).ok());

  Builder other("h", infer);
  ValueId input = other.copy(graph, 0, {})[0];
  CHECK_EQ(other.copy(graph, 1, {input}).size(), 2);
  CHECK_EQ(other.graph().values[1].name, "a");
}

TEST_CASE("verify finds what passes can break") {
  auto broken = [](auto edit) {
    Graph graph = *parse(kText);
    edit(graph);
    return verify(graph, infer).message();
  };
  CHECK_EQ(broken([](Graph& g) { g.values[5].type.dims[1] = 27; }),
           "graph sample: %y.1: has type u8[n,27,28,1], inferred u8[n,28,28,1]");
  CHECK_EQ(broken([](Graph& g) { g.values[6].name = "rate"; }), "graph sample: %rate: the name is taken");
  CHECK_EQ(broken([](Graph& g) { g.nodes[4].inputs[0] = 6; }), "graph sample: %y: reads a value that comes later");
  CHECK_EQ(broken([](Graph& g) { g.nodes[4].phase = Phase::kUpdate; }), "graph sample: %z: reads from a later phase");
  CHECK_EQ(broken([](Graph& g) { g.stores[0].state = 0; }), "graph sample: %input: is stored to but is no state");
}

}  // namespace
}  // namespace convoke
