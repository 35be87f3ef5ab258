// Linear layers as training has them: weights in blocks of any size, what is elementwise fused behind, sums long enough
// to be cut into pieces and chunks, batches on both sides of where the form of a kernel changes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "compiler/ops/interpreter.h"
#include "schedules/templates/template.h"
#include "tests/lower/buffers.h"
#include "tests/templates/check.h"
#include "tests/templates/storage.h"

namespace convoke {
namespace {

constexpr int64_t kBatches[] = {1, 2, 3, 70};

struct Problem {
  int64_t out, c, h, w;  // h = 0: a vector of c features
  int64_t block;         // of the packed weight; 0: plain

  int64_t in() const { return h == 0 ? c : h * w * c; }
  std::string input() const { return h == 0 ? fmt::format("f32[n,{}]", c) : fmt::format("f32[n,{},{},{}]", h, w, c); }
  std::string weight() const { return fmt::format("f32[{},{}]", out, in()); }
  std::string layout(std::string_view argument) const {
    if (block == 0) return "";
    if (h == 0) return fmt::format("layout {} 0/{}.1.0%{}\n", argument, block, block);
    return fmt::format("layout {} ({},{},{},{})0/{}.2.3.1.0%{}\n", argument, out, c, h, w, block, block);
  }
};

constexpr Problem kProblems[] = {{10, 84, 0, 0, 16},  {17, 33, 0, 0, 16},  {67, 129, 0, 0, 48},  {40, 8192, 0, 0, 48},
                                 {6, 1, 5, 3, 8},     {120, 16, 5, 5, 64}, {9, 70, 2, 3, 4},     {60, 128, 9, 3, 64},
                                 {17, 33, 0, 0, 0},   {6, 5, 3, 4, 0},     {1000, 24, 0, 0, 24}, {250, 64, 0, 0, 16},
                                 {150, 130, 5, 3, 64}};

std::string forward_key(const Problem& p) {
  return fmt::format(
             "graph kernel\n%a0 = input() : {0}\n%a1 = input() : {1}\n%a2 = input() : f32[{2}]\n"
             "%v0 = linear(%a0, %a1, %a2) : f32[n,{2}]\n%v1 = relu(%v0) : f32[n,{2}]\noutput %v1\n",
             p.input(), p.weight(), p.out) +
         p.layout("input 1");
}

std::string backward_data_key(const Problem& p) {
  const std::string size = p.h == 0 ? "" : fmt::format("{},{},{}", p.h, p.w, p.c);
  return fmt::format(
             "graph kernel\n%a0 = input() : f32[n,{2}]\n%a1 = input() : {1}\n%a2 = input() : {0}\n"
             "%v0 = linear_backward_data(%a0, %a1) {{input_size=[{3}]}} : {0}\n"
             "%v1 = relu_backward(%v0, %a2) : {0}\noutput %v1\n",
             p.input(), p.weight(), p.out, size) +
         p.layout("input 1");
}

std::string backward_weights_key(const Problem& p) {
  return fmt::format(
             "graph kernel\n%a0 = input() : f32[n,{2}]\n%a1 = input() : {0}\n%a2 = input() : {1}\n"
             "%a3 = input() : f32[]\n%v0 = linear_backward_weights(%a0, %a1) : {1}\n"
             "%v1 = accumulate(%a2, %v0, %a3) : {1}\noutput %v1\n",
             p.input(), p.weight(), p.out) +
         p.layout("input 2") + p.layout("output 0");
}

Halide::Buffer<> to_argument(const Type& type, const Layout& layout, const Tensor& logical) {
  return to_buffer({.dtype = type.dtype, .dims = {}}, to_storage(type, layout, logical));
}

// The first difference from the interpreter's result; empty when there is none.
std::string first_error(const Kernel& kernel, Halide::Callable& callable, int64_t batch, int64_t terms) {
  const Graph& body = kernel.body;
  Environment sources;
  std::vector<Halide::Buffer<>> b;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Value& value = body.values[static_cast<size_t>(kernel.inputs[i])];
    const Tensor tensor = make_values(value.type, -1, 1, batch, static_cast<int>(i));
    b.push_back(to_argument(value.type, kernel.input_layouts[i], tensor));
    sources[value.name] = tensor;
  }
  const Value& output = body.values[static_cast<size_t>(body.outputs[0])];
  const Layout& layout = kernel.output_layouts[0];
  const Tensor expected = interpret(body, sources).at(output.name);
  Halide::Buffer<> result = to_argument(output.type, layout, Tensor(expected.dims));
  memset(result.data(), 0x7b, result.size_in_bytes());
  const int status = b.size() == 3 ? callable(b[0], b[1], b[2], result) : callable(b[0], b[1], b[2], b[3], result);
  if (status != 0) return "the call failed";
  Tensor storage(to_storage(output.type, layout, expected).dims);
  storage.data = to_values(result);
  const FromStorage found = from_storage(output.type, layout, storage, batch);
  if (!found.padding_is_zero) return "padding is not zero";
  double scale = 1;
  for (double value : expected.data) scale = std::max(scale, std::fabs(value));
  return first_difference(expected, found.logical.data, 0x1p-24 * (16 + 2 * static_cast<double>(terms)) * scale);
}

std::string check(const Kernel& kernel, const TargetSpec& target, int64_t terms, const Knobs& chosen) {
  try {
    Knobs knobs = templates::gemm.defaults(kernel, BatchClass::kMany, target);
    for (const auto& [knob, value] : chosen) knobs[knob] = value;
    const BuiltKernel built = templates::gemm.build(kernel, knobs, target).value();
    Halide::Pipeline pipeline = built.pipeline;
    Halide::Callable callable = pipeline.compile_to_callable(built.arguments, Halide::Target(target.halide_target));
    for (int64_t batch : kBatches) {
      const std::string error = first_error(kernel, callable, batch, std::max(terms, batch));
      if (!error.empty()) return fmt::format("n {}: {}", batch, error);
    }
    return check_scratch(kernel, templates::gemm, knobs, target);
  } catch (const Halide::Error& error) {
    return error.what();
  }
}

void check(const std::string& key, int64_t terms, const Knobs& chosen = {}) {
  INFO(key);
  const TargetSpec target = find_target("host").value();
  const Kernel kernel = parse_kernel(key).value();
  REQUIRE(templates::gemm.applies(kernel, target));
  CHECK(check(kernel, target, terms, chosen) == "");
}

TEST_CASE("linears of any size and packing") {
  for (const Problem& problem : kProblems) check(forward_key(problem), problem.in());
}

TEST_CASE("data gradients of linears of any size and packing") {
  for (const Problem& problem : kProblems) {
    for (int64_t samples : {0, 1, 2}) check(backward_data_key(problem), problem.out, {{"samples", samples}});
  }
}

TEST_CASE("weight gradients of linears of any size and packing") {
  for (const Problem& problem : kProblems) {
    for (int64_t chunk : {16, 64}) check(backward_weights_key(problem), 1, {{"chunk", chunk}});
  }
}

}  // namespace
}  // namespace convoke
