// Every case of every op as a row of an arm-64 library, with the template that lookup gives it there: one library an
// op, its cases side by side in one inference graph, run by convoke-run at each batch size that they name, against the
// reference.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "compiler/kernels/make_plan.h"
#include "schedules/database/lookup.h"
#include "schedules/templates/template.h"
#include "tests/arm/board.h"
#include "tests/ops/cases.h"

namespace convoke {
namespace {

constexpr const char* kBatchInput = "batch";  // tells convoke-run n where no operand does

// Operands without a batch are parameters: the library stores them in the layout that the kernel wishes for.
bool is_parameter(const CaseOperand& operand) { return !operand.type.has_batch() && operand.type.dtype == DType::kF32; }

std::string operand_name(const Case& test_case, size_t i) { return fmt::format("{}.a{}", test_case.name, i); }

std::string result_name(const Case& test_case, size_t r) {
  return r == 0 ? test_case.name : fmt::format("{}.{}", test_case.name, r);
}

struct CaseLibrary {
  Builder builder;
  ModelDescription description;
};

void add_case(const Case& test_case, CaseLibrary& library) {
  std::vector<ValueId> operands;
  for (size_t i = 0; i < test_case.operands.size(); ++i) {
    const CaseOperand& operand = test_case.operands[i];
    const std::string name = operand_name(test_case, i);
    const bool parameter = is_parameter(operand);
    operands.push_back(parameter ? library.builder.parameter(name, operand.type)
                                 : library.builder.input(name, operand.type));
    (parameter ? library.description.parameters : library.description.inputs).push_back({name, operand.type});
  }
  for (ValueId result : library.builder.add(test_case.name, test_case.op, operands, test_case.attrs)) {
    library.builder.output(result);
    library.description.outputs.push_back({library.builder.graph().values[result].name, library.builder.type(result)});
  }
}

struct CompiledCases {
  CompiledLibrary library;
  std::set<std::string> templates;               // that run them
  std::map<std::string, double> relative_error;  // by row: how many times the error of the op's own sums it may have
};

CompiledCases compile(const std::string& op, const std::vector<Case>& cases, int64_t capacity) {
  const TargetSpec target = find_target(kBoard).value();
  CaseLibrary library = {make_builder(op), {.name = op}};
  library.builder.input(kBatchInput, f32({kBatch, 1}));
  library.description.inputs.push_back({kBatchInput, f32({kBatch, 1})});
  for (const Case& test_case : cases) add_case(test_case, library);
  const Graph graph = std::move(library.builder).take();
  PlanRequest request{.model = op, .capacity = capacity, .inference = &graph};
  request.lookup = [&](const Kernel& kernel, int64_t samples) { return lookup(kernel, batch_class(samples), target); };
  const Result<Plan> plan = make_plan(request);
  REQUIRE_MESSAGE(plan.ok(), plan.status().message());
  const Result<CompiledLibrary> compiled = compile_library(*plan, library.description, target, board_options("ops"));
  REQUIRE_MESSAGE(compiled.ok(), compiled.status().message());
  CompiledCases result{*compiled, {}, {}};
  for (const PlanRow& row : plan->rows) {
    const auto& [kernel, instance] = plan->kernels[row.kernel];
    const ScheduleTemplate& schedule = *find_template(instance.template_name);
    result.templates.insert(instance.template_name);
    result.relative_error[row.name] =
        schedule.relative_error == nullptr ? 1 : schedule.relative_error(kernel, instance.knobs);
  }
  return result;
}

void check_results(const Case& test_case, double relative_error, const Environment& found) {
  const std::vector<Tensor> expected = run_reference(test_case, make_inputs(test_case));
  for (size_t r = 0; r < expected.size(); ++r) {
    INFO(to_string(test_case), " n=", test_case.batch, " result ", r);
    const std::vector<double>& values = found.at(result_name(test_case, r)).data;
    CHECK(first_difference(expected[r], values, relative_error * tolerance(test_case, expected[r])) == "");
  }
}

// Returns how many cases there are.
size_t check_op(const std::string& op) {
  std::vector<Case> cases = load_valid_cases(op);
  std::set<int64_t> batches;
  for (const Case& test_case : cases) batches.insert(test_case.batch);
  const CompiledCases compiled = compile(op, cases, *batches.rbegin());
  for (const int64_t n : batches) {
    std::vector<NamedTensor> input = {to_named(kBatchInput, DType::kF32, Tensor({n, 1}))};
    for (Case& test_case : cases) {
      test_case.batch = n;
      const std::vector<Tensor> values = make_inputs(test_case);
      for (size_t i = 0; i < values.size(); ++i) {
        input.push_back(to_named(operand_name(test_case, i), test_case.operands[i].type.dtype, values[i]));
      }
    }
    const Environment found = run_on_board(compiled.library, "infer", input);
    for (const Case& test_case : cases) check_results(test_case, compiled.relative_error.at(test_case.name), found);
  }
  fmt::print("  {:<28} {:3} cases at n = {} by {}\n", op, cases.size(), fmt::join(batches, ", "),
             fmt::join(compiled.templates, ", "));
  return cases.size();
}

TEST_CASE("the cases of all ops") {
  size_t count = 0;
  for (const OpDef* op : all_ops()) count += check_op(std::string(op->name));
  fmt::print("  {} cases of {} ops on {}\n", count, all_ops().size(), kBoard);
}

}  // namespace
}  // namespace convoke
