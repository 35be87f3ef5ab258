// Partition: the fusion rules on small graphs, and that running the kernels in order is running the graph.
#include "compiler/kernels/partition.h"

#include <doctest/doctest.h>

#include <cmath>

#include "compiler/ir/text.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "tests/kernels/random_graph.h"

namespace convoke {
namespace {

// One line a kernel: "conv+relu(x, w) -> relu", with the phase in front where it changes.
std::string partition_text(const std::string& text, const ComputesBoth& computes_both = {}) {
  const Result<Graph> graph = parse("graph g\n" + text);
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  const Status verified = verify(*graph);
  REQUIRE_MESSAGE(verified.ok(), verified.message());
  auto names = [&](const std::vector<ValueId>& values) {
    std::string list;
    for (ValueId value : values) list += (list.empty() ? "" : ", ") + graph->values[value].name;
    return list;
  };
  std::string result;
  Phase phase = Phase::kForward;
  for (const KernelCall& call : partition(*graph, {}, computes_both)) {
    if (call.phase != phase) result += std::string(to_string(phase = call.phase)) + ": ";
    result += call.name + "(" + names(call.inputs) + ") -> " + names(call.outputs) + "\n";
  }
  return result;
}

const std::string kConv =
    "%x = input() : f32[n,4,4,8]\n"
    "%w = parameter() : f32[8,8,1,1]\n"
    "%conv = conv2d(%x, %w) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,4,4,8]\n";

TEST_CASE("elementwise work behind an anchor joins it, with further operands") {
  CHECK(partition_text(kConv + "%sum = add(%conv, %x) : f32[n,4,4,8]\n"
                               "%relu = relu(%sum) : f32[n,4,4,8]\n"
                               "output %relu\n") == "conv+sum+relu(x, w) -> relu\n");
}

TEST_CASE("elementwise work in front of an anchor is a kernel of its own") {
  CHECK(partition_text("%y = input() : f32[n,4,4,8]\n"
                       "%w = parameter() : f32[8,8,1,1]\n"
                       "%a = relu(%y) : f32[n,4,4,8]\n"
                       "%b = tanh(%a) : f32[n,4,4,8]\n"
                       "%conv = conv2d(%b, %w) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : "
                       "f32[n,4,4,8]\n"
                       "output %conv\n") == "a+b(y) -> b\nconv(b, w) -> conv\n");
}

TEST_CASE("fan-out, outputs and stores stop fusion: the value must exist in memory") {
  CHECK(partition_text(kConv + "%relu = relu(%conv) : f32[n,4,4,8]\n"
                               "%tanh = tanh(%conv) : f32[n,4,4,8]\n"
                               "output %relu\noutput %tanh\n") ==
        "conv(x, w) -> conv\nrelu(conv) -> relu\ntanh(conv) -> tanh\n");
  CHECK(partition_text(kConv + "%relu = relu(%conv) : f32[n,4,4,8]\n"
                               "output %relu\noutput %conv\n") == "conv(x, w) -> conv\nrelu(conv) -> relu\n");
  CHECK(partition_text("%x = input() : f32[n,4,4,8]\n"
                       "%s = state() {arena=\"state\"} : f32[8]\n"
                       "%sum = channel_sum(%x) : f32[8]\n"
                       "%t = tanh(%sum) : f32[8]\n"
                       "store %s, %sum\noutput %t\n") == "sum(x) -> sum\nt(sum) -> t\n");
}

TEST_CASE("a max-pooling joins the convolution before it where a schedule computes both") {
  const std::string pool = "{dilation=[1,1], kernel_size=[2,2], padding=[0,0,0,0], stride=[2,2]} : f32[n,";
  const std::string relu = kConv + "%relu = relu(%conv) : f32[n,4,4,8]\n";
  const std::string pooled = "%max, %place = max_pool2d(%relu) " + pool + "2,2,8], u8[n,2,2,8]\n";
  const ComputesBoth always = [](const Kernel& kernel) { return kernel.pooling != kNoPooling; };
  const std::string joined = "conv+relu+max(x, w) -> max\n", apart = "conv+relu(x, w) -> relu\nmax(relu) -> max\n";
  CHECK(partition_text(relu + pooled + "output %max\n", always) == joined);
  CHECK(partition_text(relu + pooled + "%tanh = tanh(%max) : f32[n,2,2,8]\noutput %tanh\n", always) ==
        "conv+relu+max+tanh(x, w) -> tanh\n");
  SUBCASE("not where none does") {
    CHECK(partition_text(relu + pooled + "output %max\n") == apart);
    CHECK(partition_text(relu + pooled + "output %max\n", [](const Kernel&) { return false; }) == apart);
  }
  SUBCASE("not where places or pixels are read by others") {
    CHECK(partition_text(relu + pooled + "output %max\noutput %place\n", always) ==
          "conv+relu(x, w) -> relu\nmax(relu) -> max, place\n");
    CHECK(partition_text(relu + pooled + "output %max\noutput %relu\n", always) == apart);
  }
  SUBCASE("one only") {
    CHECK(partition_text(
              relu + pooled + "%again, %places = max_pool2d(%max) " + pool + "1,1,8], u8[n,1,1,8]\noutput %again\n",
              always) == joined + "again(max) -> again\n");
  }
}

TEST_CASE("sums of rows join the convolution that makes the rows, which others may read") {
  const std::string sums = "%first, %sum, %square = row_sums(%conv) : f32[n,4,1,8], f32[n,4,1,8], f32[n,4,1,8]\n";
  const std::string read =
      "%relu = relu(%conv) : f32[n,4,4,8]\n%mean, %variance = merge_moments(%first, %sum, %square) "
      "{pixels=4} : f32[8], f32[8]\noutput %relu\noutput %mean\n";
  const std::string rest = "relu(conv) -> relu\nmean(first, sum, square) -> mean\n";
  const ComputesBoth always = [](const Kernel& kernel) { return kernel.row_sums != kNoRowSums; };
  CHECK(partition_text(kConv + sums + read, always) == "conv+first(x, w) -> conv, first, sum, square\n" + rest);
  SUBCASE("not where no schedule computes both") {
    CHECK(partition_text(kConv + sums + read) ==
          "conv(x, w) -> conv\nfirst(conv) -> first, sum, square\nrelu(conv) -> relu\n"
          "mean(first, sum, square) -> mean\n");
  }
  SUBCASE("nor behind anything else") {
    CHECK(partition_text("%x = input() : f32[n,4,4,8]\n%conv = relu(%x) : f32[n,4,4,8]\n" + sums + read, always)
              .starts_with("conv(x) -> conv\nfirst(conv) -> first, sum, square\n"));
  }
}

TEST_CASE("a value read twice by one node is in memory") {
  CHECK(partition_text(kConv + "%twice = add(%conv, %conv) : f32[n,4,4,8]\noutput %twice\n") ==
        "conv(x, w) -> conv\ntwice(conv) -> twice\n");
}

TEST_CASE("phases stop fusion and run in order") {
  CHECK(partition_text(kConv + "backward:\n"
                               "%relu = relu(%conv) : f32[n,4,4,8]\n"
                               "loss:\n"
                               "%tanh = tanh(%x) : f32[n,4,4,8]\n"
                               "output %relu\noutput %tanh\n") ==
        "conv(x, w) -> conv\nloss: tanh(x) -> tanh\nbackward: relu(conv) -> relu\n");
}

TEST_CASE("of two operands that could be continued it is the later one") {
  CHECK(partition_text(kConv + "%v = parameter() : f32[8,8,1,1]\n"
                               "%conv.2 = conv2d(%x, %v) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : "
                               "f32[n,4,4,8]\n"
                               "%sum = add(%conv, %conv.2) : f32[n,4,4,8]\n"
                               "output %sum\n") == "conv(x, w) -> conv\nconv.2+sum(x, v, conv) -> sum\n");
}

TEST_CASE("pointwise work that ends in several operands of a node is one kernel with it") {
  const std::string two =
      "%x = input() : f32[n,4,4,8]\n%y = input() : f32[n,4,4,8]\n%g = parameter() : f32[8]\n"
      "%m, %v = channel_moments(%x) : f32[8], f32[8]\n"
      "%a = batch_norm2d(%x, %g, %g, %m, %v) {epsilon=0.1} : f32[n,4,4,8]\n"
      "%m.2, %v.2 = channel_moments(%y) : f32[8], f32[8]\n"
      "%b = batch_norm2d(%y, %g, %g, %m.2, %v.2) {epsilon=0.1} : f32[n,4,4,8]\n"
      "%sum = add(%a, %b) : f32[n,4,4,8]\n%relu = relu(%sum) : f32[n,4,4,8]\noutput %relu\n";
  CHECK(partition_text(two) == "m(x) -> m, v\nm.2(y) -> m.2, v.2\na+b+sum+relu(x, g, m, v, y, m.2, v.2) -> relu\n");
  CHECK(partition_text(kConv + "%a = tanh(%x) : f32[n,4,4,8]\n%b = relu(%a) : f32[n,4,4,8]\n"
                               "%sum = add(%b, %conv) : f32[n,4,4,8]\noutput %sum\n") == "conv+a+b+sum(x, w) -> sum\n");
  // A value that others read is in memory anyway.
  CHECK(partition_text("%x = input() : f32[n,4,4,8]\n%y = input() : f32[n,4,4,8]\n"
                       "%a = relu(%x) : f32[n,4,4,8]\n%b = relu(%y) : f32[n,4,4,8]\n"
                       "%sum = add(%a, %b) : f32[n,4,4,8]\noutput %sum\noutput %a\n") ==
        "a(x) -> a\nb+sum(y, a) -> sum\n");
}

TEST_CASE("only operands of the result's shape are continued; vectors per channel are read") {
  CHECK(partition_text("%x = input() : f32[n,4,4,8]\n"
                       "%g = parameter() : f32[8]\n"
                       "%mean, %var = channel_moments(%x) : f32[8], f32[8]\n"
                       "%y = batch_norm2d(%x, %g, %g, %mean, %var) {epsilon=0.1} : f32[n,4,4,8]\n"
                       "output %y\n") == "mean(x) -> mean, var\ny(x, g, mean, var) -> y\n");
}

TEST_CASE("the second result of an anchor is not continued, and an unread one is no output") {
  CHECK(partition_text("%x = input() : f32[n,4,4,8]\n"
                       "%mean, %var = channel_moments(%x) : f32[8], f32[8]\n"
                       "%t = tanh(%var) : f32[8]\n"
                       "output %t\n") == "mean(x) -> var\nt(var) -> t\n");
}

TEST_CASE("no join where the other operand is computed from the group") {
  CHECK(partition_text("%x = input() : f32[n,4,4,8]\n"
                       "%mean, %var = channel_moments(%x) : f32[8], f32[8]\n"
                       "%t = tanh(%var) : f32[8]\n"
                       "%sum = add(%mean, %t) : f32[8]\n"
                       "output %sum\n") == "mean(x) -> mean, var\nt+sum(var, mean) -> sum\n");
}

// b joins the kernel of m, which then needs the kernel of k; c may not join that one, as it needs m.1.
TEST_CASE("no join where the other operand is in an earlier kernel that waits for the group") {
  CHECK(partition_text("%x = input() : f32[n,4,4,8]\n"
                       "%y = input() : f32[n,4,4,8]\n"
                       "%m, %m.1 = channel_moments(%x) : f32[8], f32[8]\n"
                       "%k, %k.1 = channel_moments(%y) : f32[8], f32[8]\n"
                       "%a = tanh(%k) : f32[8]\n"
                       "%s = channel_sum(%x) : f32[8]\n"
                       "%b = add(%m, %k.1) : f32[8]\n"
                       "%c = add(%a, %m.1) : f32[8]\n"
                       "output %b\noutput %c\noutput %s\n") ==
        "k+a(y) -> k.1, a\nm+b(x, k.1) -> m.1, b\ns(x) -> s\nc(a, m.1) -> c\n");
}

TEST_CASE("random graphs: kernels in order compute the graph's values") {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Graph graph = eliminate_dead_code(random_graph(seed));
    const std::string what = "seed " + std::to_string(seed) + "\n" + print(graph);
    INFO(what);
    const Environment sources = make_sources(graph, 2), expected = interpret(graph, sources);
    Environment values = sources;
    Phase phase = Phase::kPrepare;
    for (const KernelCall& call : partition(graph)) {
      CHECK(call.phase >= phase);
      phase = call.phase;
      CHECK(verify(call.kernel.body).ok());
      Environment operands;
      for (size_t i = 0; i < call.inputs.size(); ++i) {
        const auto found = values.find(graph.values[call.inputs[i]].name);
        REQUIRE(found != values.end());  // what it reads has been computed
        operands["a" + std::to_string(i)] = found->second;
      }
      const Environment results = interpret(call.kernel.body, operands);
      REQUIRE(call.outputs.size() == call.kernel.body.outputs.size());
      CHECK_FALSE(call.outputs.empty());
      for (size_t o = 0; o < call.outputs.size(); ++o) {
        values[graph.values[call.outputs[o]].name] =
            results.at(call.kernel.body.values[call.kernel.body.outputs[o]].name);
      }
    }
    for (ValueId output : graph.outputs) {
      const std::string& name = graph.values[output].name;
      CHECK(values.at(name).data == expected.at(name).data);
    }
  }
}

}  // namespace
}  // namespace convoke
