// Every case of every op: type inference and its messages, IR text there and back, the derivative against finite
// differences of the reference.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "compiler/ir/text.h"
#include "tests/ops/cases.h"

namespace convoke {
namespace {

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const OpDef* op : all_ops()) {
    for (Case& test_case : load_cases(op->name)) cases.push_back(std::move(test_case));
  }
  return cases;
}

// The case's op over inputs a0, a1, …; its results are outputs.
Builder build(const Case& test_case) {
  Builder builder = make_builder("case");
  std::vector<ValueId> inputs;
  for (const CaseOperand& operand : test_case.operands) {
    inputs.push_back(builder.input(fmt::format("a{}", inputs.size()), operand.type));
  }
  for (ValueId result : builder.add("y", test_case.op, inputs, test_case.attrs)) builder.output(result);
  return builder;
}

// Every value of the graph; `values` starts with those of the inputs, which come first.
std::vector<Tensor> evaluate(const Graph& graph, std::vector<Tensor> values, int64_t batch) {
  for (const Node& node : graph.nodes) {
    if (is_source(node.op)) continue;
    std::vector<const Tensor*> inputs;
    for (ValueId input : node.inputs) inputs.push_back(&values[static_cast<size_t>(input)]);
    std::vector<Tensor> outputs = run_reference(view(graph, node), inputs, batch);
    for (Tensor& output : outputs) values.push_back(std::move(output));
  }
  return values;
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (size_t i = 0; i < a.data.size(); ++i) sum += a.data[i] * b.data[i];
  return sum;
}

Tensor moved(const Tensor& a, const Tensor& direction, double distance) {
  Tensor result = a;
  for (size_t i = 0; i < a.data.size(); ++i) result.data[i] += distance * direction.data[i];
  return result;
}

// The gradients of ⟨seed, first result⟩, one an operand; empty dims where the vjp has none.
std::vector<Tensor> gradients(const Case& test_case, const std::vector<Tensor>& inputs, const Tensor& seed) {
  Builder builder = make_builder("case");
  NodeValues values{.name = "y.grad"};
  for (const CaseOperand& operand : test_case.operands) {
    values.inputs.push_back(builder.input(fmt::format("a{}", values.inputs.size()), operand.type));
  }
  std::vector<ValueId> dys(test_case.results.size(), kNoValue);
  dys[0] = builder.input("dy", test_case.results[0]);
  values.results = builder.add("y", test_case.op, values.inputs, test_case.attrs);
  const std::vector<ValueId> ids = find_op(test_case.op)->vjp(builder, view(test_case), values, dys);
  CHECK(ids.size() == inputs.size());
  const Status status = verify(builder.graph());
  CHECK_MESSAGE(status.ok(), status.message());

  std::vector<Tensor> all = inputs;
  all.push_back(seed);
  all = evaluate(builder.graph(), std::move(all), test_case.batch);
  std::vector<Tensor> result;
  for (ValueId id : ids) result.push_back(id == kNoValue ? Tensor{} : all[static_cast<size_t>(id)]);
  return result;
}

TEST_CASE("the table is sorted and its names are those of ops.inc") {
  const auto ops = all_ops();
  CHECK(std::ranges::is_sorted(ops, {}, [](const OpDef* op) { return op->name; }));
  for (const OpDef* op : ops) CHECK(find_op(op->name) == op);
  CHECK(find_op("no_such_op") == nullptr);
  CHECK(infer_types("no_such_op", {}, {}).status().message() == "there is no op 'no_such_op'");
}

TEST_CASE("every op has cases and every file of cases an op") {
  for (const auto& entry : std::filesystem::directory_iterator("tests/ops")) {
    if (entry.path().extension() != ".cases") continue;
    INFO(entry.path().string());
    CHECK(find_op(entry.path().stem().string()) != nullptr);
  }
  for (const OpDef* op : all_ops()) {
    INFO(std::string(op->name));
    std::set<std::string> names;
    for (const Case& test_case : load_cases(op->name)) CHECK(names.insert(test_case.name).second);
    CHECK(!load_valid_cases(op->name).empty());
  }
}

TEST_CASE("type inference, and the user's mistakes") {
  for (const Case& test_case : all_cases()) {
    INFO(to_string(test_case));
    const auto types = infer_types(test_case.op, test_case.attrs, operand_types(test_case));
    if (!test_case.error.empty()) {
      CHECK(!types.ok());
      CHECK(types.status().message() == test_case.error);
    } else {
      CHECK_MESSAGE(types.ok(), types.status().message());
      if (types.ok()) CHECK(*types == test_case.results);
    }
  }
}

TEST_CASE("IR text there and back") {
  for (const OpDef* op : all_ops()) {
    for (const Case& test_case : load_valid_cases(op->name)) {
      INFO(to_string(test_case));
      const Graph graph = build(test_case).take();
      CHECK(verify(graph).ok());
      const auto parsed = parse(print(graph));
      CHECK_MESSAGE(parsed.ok(), parsed.status().message());
      if (parsed.ok()) CHECK(print(*parsed) == print(graph));
    }
  }
}

// ⟨dx, u⟩ against (L(x + h·u) − L(x − h·u)) / 2h with L = ⟨seed, first result⟩, an operand at a time. In double with h
// = 1e-5 the difference errs by ~1e-10 of the terms' size.
TEST_CASE("derivatives against finite differences") {
  constexpr double kStep = 1e-5;
  for (const OpDef* op : all_ops()) {
    if (op->vjp == nullptr) continue;
    for (const Case& test_case : load_valid_cases(op->name)) {
      const std::vector<Tensor> inputs = make_inputs(test_case);
      const Tensor seed = make_values(test_case.results[0], -1, 1, test_case.batch, 11);
      const std::vector<Tensor> dxs = gradients(test_case, inputs, seed);
      for (size_t i = 0; i < dxs.size(); ++i) {
        if (dxs[i].data.empty()) continue;
        INFO(to_string(test_case), ", operand ", i);
        CHECK(dxs[i].dims == inputs[i].dims);
        const Tensor direction = make_values(test_case.operands[i].type, -1, 1, test_case.batch, 17);
        const auto loss = [&](double distance) {
          std::vector<Tensor> at = inputs;
          at[i] = moved(inputs[i], direction, distance);
          return dot(seed, run_reference(test_case, at)[0]);
        };
        const double expected = (loss(kStep) - loss(-kStep)) / (2 * kStep);
        const double size = std::sqrt(dot(dxs[i], dxs[i]) * dot(direction, direction));
        CHECK(std::fabs(dot(dxs[i], direction) - expected) <= 1e-7 * std::max(size, 1.0));
      }
    }
  }
}

}  // namespace
}  // namespace convoke
