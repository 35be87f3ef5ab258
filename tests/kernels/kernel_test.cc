// Kernels: canonical keys and their inverse, what may share memory, and costs.
#include "compiler/kernels/kernel.h"

#include <doctest/doctest.h>

#include "compiler/ir/text.h"
#include "compiler/kernels/partition.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "tests/kernels/random_graph.h"

namespace convoke {
namespace {

std::vector<KernelCall> calls_of(const std::string& text) {
  const Result<Graph> graph = parse(text);
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  REQUIRE(verify(*graph).ok());
  return partition(*graph);
}

constexpr const char* kAttrs = "{dilation=[1,1], groups=1, padding=[2,2,2,2], stride=[1,1]}";

TEST_CASE("the key is the canonical text; the same kernel of two networks has one key") {
  const std::string attrs = kAttrs;
  const std::vector<KernelCall> first = calls_of(
      "graph one\n%input = input() : f32[n,28,28,1]\n%w = parameter() : f32[6,1,5,5]\n%b = parameter() : f32[6]\n"
      "%conv = conv2d(%input, %w, %b) " +
      attrs +
      " : f32[n,28,28,6]\n%relu = relu(%conv) : f32[n,28,28,6]\n"
      "output %relu\n");
  const std::vector<KernelCall> second = calls_of(
      "graph two\n%bias = parameter() {init=\"zeros\"} : f32[6]\n%pixels = input() : f32[n,28,28,1]\n"
      "%weight = parameter() : f32[6,1,5,5]\n%stem = tanh(%pixels) : f32[n,28,28,1]\nbackward:\n"
      "%layer = conv2d(%stem, %weight, %bias) " +
      attrs +
      " : f32[n,28,28,6]\n%y = relu(%layer) : f32[n,28,28,6]\n"
      "output %y\n");
  const std::string key =
      "graph kernel\n%a0 = input() : f32[n,28,28,1]\n%a1 = input() : f32[6,1,5,5]\n%a2 = input() : f32[6]\n"
      "%v0 = conv2d(%a0, %a1, %a2) " +
      attrs + " : f32[n,28,28,6]\n%v1 = relu(%v0) : f32[n,28,28,6]\noutput %v1\n";
  CHECK(kernel_key(first.at(0).kernel) == key);
  CHECK(kernel_key(second.at(1).kernel) == key);
  CHECK(first[0].kernel.anchor == 3);
  CHECK(second[0].kernel.anchor == kNoAnchor);
}

TEST_CASE("layouts are part of the key") {
  Kernel kernel = single_op_kernel("pack", {}, {f32({6, 1, 5, 5})});
  const std::string plain = kernel_key(kernel);
  kernel.output_layouts[0] = packed_weights({6, 1, 5, 5}, 16);
  CHECK(kernel_key(kernel) == plain + "layout output 0 (6,1,5,5)0/16.2.3.1.0%16\n");
  kernel.input_layouts[0] = parse_layout("1.0.2.3").value();
  CHECK(kernel_key(kernel) == plain + "layout input 0 1.0.2.3\nlayout output 0 (6,1,5,5)0/16.2.3.1.0%16\n");
}

void check_inverse(const Kernel& kernel) {
  const std::string key = kernel_key(kernel);
  INFO(key);
  const Result<Kernel> parsed = parse_kernel(key);
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message());
  CHECK(kernel_key(*parsed) == key);
  CHECK(parsed->anchor == kernel.anchor);
  CHECK(parsed->inputs == kernel.inputs);
  CHECK(parsed->input_layouts == kernel.input_layouts);
  CHECK(parsed->output_layouts == kernel.output_layouts);
}

TEST_CASE("parse_kernel is the inverse of kernel_key") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    for (const KernelCall& call : partition(eliminate_dead_code(random_graph(seed)))) {
      Kernel kernel = call.kernel;
      check_inverse(kernel);
      for (size_t i = 0; i < kernel.inputs.size(); ++i) {
        const Type& type = kernel.body.type(kernel.inputs[i]);
        if (type.rank() == 4 && !type.has_batch()) kernel.input_layouts[i] = packed_weights(type.dims, 4);
      }
      check_inverse(kernel);
    }
  }
}

TEST_CASE("what is no kernel") {
  const std::string body = kernel_key(single_op_kernel("pack", {}, {f32({6, 4})}));
  auto why = [](const std::string& key) { return parse_kernel(key).status().message(); };
  CHECK(why(body + "layout input 0\n") == "\"layout input 0\" is no layout line");
  CHECK(why(body + "layout input 0 1.0 1.0\n") == "\"layout input 0 1.0 1.0\" is no layout line");
  CHECK(why(body + "layout middle 0 1.0\n") == "\"layout middle 0 1.0\" is no layout line");
  CHECK(why(body + "layout input 0 1.0\nnoise") == "\"noise\" is no layout line");
  CHECK(why(body + "layout input 1 1.0\n") == "\"layout input 1 1.0\" names no argument");
  CHECK(why(body + "layout output 0 1.x\n") == "\"1.x\" is no layout");
  CHECK(why(body + "layout output 0 0/4.1\n") == "layout 0/4.1 of f32[6,4]: dimension 0 is not covered once");
  CHECK(why("graph kernel\n%a0 = input() : f32[4]\n%v0 = nonesuch(%a0) : f32[4]\n").find("nonesuch") !=
        std::string::npos);
  CHECK(why("graph kernel\n%a0 = input() : f32[n,2,2,4]\n%v0 = channel_sum(%a0) : f32[4]\n"
            "%v1 = channel_sum(%a0) : f32[4]\noutput %v0\noutput %v1\n") ==
        "a kernel has one anchor, or a conv2d and a max_pool2d or row_sums, found channel_sum, channel_sum");
  CHECK(why("graph kernel\n%a0 = input() : f32[n,2,2,4]\n%a1 = input() : f32[4,4,1,1]\n"
            "%v0 = conv2d(%a0, %a1) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,2,2,4]\n"
            "%v1, %v1.1, %v1.2 = row_sums(%v0) : f32[n,2,1,4], f32[n,2,1,4], f32[n,2,1,4]\noutput %v1\n") ==
        "a conv2d with row_sums behind it has its result and theirs as outputs");
}

bool alias(const std::string& text, int input, int output) {
  const Result<Kernel> kernel = parse_kernel("graph kernel\n" + text);
  REQUIRE_MESSAGE(kernel.ok(), kernel.status().message());
  return may_alias(*kernel, input, output);
}

TEST_CASE("an output may take over what is read only at the element that is written") {
  const std::string conv =
      "%a0 = input() : f32[n,4,4,8]\n%a1 = input() : f32[8,8,5,5]\n%a2 = input() : f32[n,4,4,8]\n%v0 = conv2d(%a0, "
      "%a1) " +
      std::string(kAttrs) + " : f32[n,4,4,8]\n%v1 = add(%v0, %a2) : f32[n,4,4,8]\noutput %v1\n";
  CHECK_FALSE(alias(conv, 0, 0));  // of the same type, but the convolution reads it around
  CHECK_FALSE(alias(conv, 1, 0));
  CHECK(alias(conv, 2, 0));
  CHECK(
      alias("%a0 = input() : f32[n,8]\n%a1 = input() : f32[n,8]\n%v0 = add(%a0, %a1) : f32[n,8]\noutput %v0\n", 1, 0));
}

TEST_CASE("operands of an op that works in place: the first alone") {
  const std::string average =
      "%a0 = input() : f32[8]\n%a1 = input() : f32[8]\n%a2 = input() : f32[n,4]\n"
      "%v0 = running_average(%a0, %a1, %a2) {count_per_sample=0, momentum=0.1} : f32[8]\noutput %v0\n";
  CHECK(alias(average, 0, 0));
  CHECK_FALSE(alias(average, 1, 0));
}

TEST_CASE("a vector per channel is no element of an image, and layouts must agree") {
  const std::string norm =
      "%a0 = input() : f32[n,2,2,3]\n%a1 = input() : f32[3]\n"
      "%v0 = batch_norm2d(%a0, %a1, %a1, %a1, %a1) {epsilon=0.1} : f32[n,2,2,3]\noutput %v0\n";
  CHECK(alias(norm, 0, 0));
  CHECK_FALSE(alias(norm, 1, 0));
  const std::string pack = "%a0 = input() : f32[6,4]\n%v0 = pack(%a0) : f32[6,4]\noutput %v0\n";
  CHECK(alias(pack, 0, 0));
  CHECK_FALSE(alias(pack + "layout output 0 1.0\n", 0, 0));
  CHECK(alias(pack + "layout input 0 1.0\nlayout output 0 1.0\n", 0, 0));
}

// The variance is complete before the epilogue of the mean reads a1.
TEST_CASE("an output of the anchor may not take over what the epilogue reads") {
  const std::string moments =
      "%a0 = input() : f32[n,4,4,8]\n%a1 = input() : f32[8]\n%v0, %v0.1 = channel_moments(%a0) : f32[8], f32[8]\n"
      "%v1 = add(%v0, %a1) : f32[8]\noutput %v0.1\noutput %v1\n";
  CHECK_FALSE(alias(moments, 1, 0));
  CHECK(alias(moments, 1, 1));
}

TEST_CASE("what the anchor reads through elementwise work in front of it is not taken over") {
  CHECK_FALSE(
      alias("%a0 = input() : f32[n,4,4,8]\n%a1 = input() : f32[8,8,5,5]\n%v0 = relu(%a0) : f32[n,4,4,8]\n"
            "%v1 = conv2d(%v0, %a1) " +
                std::string(kAttrs) + " : f32[n,4,4,8]\noutput %v1\n",
            0, 0));
}

TEST_CASE("costs: multiply-adds twice, bytes in their layouts, apart for samples and calls") {
  const Attrs attrs = parse_attrs(kAttrs).value();
  Kernel kernel = single_op_kernel("conv2d", attrs, {f32({kBatch, 28, 28, 1}), f32({6, 1, 5, 5}), f32({6})});
  CHECK(cost(kernel).flops_per_sample == 2 * 28 * 28 * 6 * 25);
  CHECK(cost(kernel).flops_per_call == 0);
  CHECK(cost(kernel).bytes_per_sample == 4 * 28 * 28 * 7);
  CHECK(cost(kernel).bytes_per_call == 4 * (150 + 6));
  kernel.input_layouts[1] = packed_weights({6, 1, 5, 5}, 16);
  CHECK(cost(kernel).bytes_per_call == 4 * (400 + 6));
  CHECK(estimated_work(kernel).ns_per_sample == 2 * 28 * 28 * 6 * 25 / 50);
  CHECK(estimated_work(kernel).ns_per_call == 4 * (400 + 6) / 10);
}

}  // namespace
}  // namespace convoke
