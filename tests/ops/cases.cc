// Reads .cases files and makes their values (cases.h).
#include "tests/ops/cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/ir/text.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Cuts `text` behind the first `mark` and returns what stood before it.
Result<std::string_view> take_until(std::string_view& text, std::string_view mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return invalid_argument(fmt::format("expected '{}' in '{}'", mark, text));
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return trim(head);
}

Result<double> parse_number(std::string_view text) {
  const std::string digits(trim(text));
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (digits.empty() || *end != '\0') return invalid_argument(fmt::format("expected a number, found '{}'", digits));
  return value;
}

// "f32[n,4], i32[n] ~ 0..3"
Result<std::vector<CaseOperand>> parse_operands(std::string_view text) {
  std::vector<CaseOperand> operands;
  while (!trim(text).empty()) {
    ASSIGN_OR_RETURN(std::string_view head, take_until(text, "]"));
    ASSIGN_OR_RETURN(Type type, parse_type(std::string(head) + "]"));
    CaseOperand operand{type};
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view range = trim(text.substr(0, comma));
    if (range.starts_with('~')) {
      range.remove_prefix(1);
      ASSIGN_OR_RETURN(std::string_view low, take_until(range, ".."));
      ASSIGN_OR_RETURN(operand.low, parse_number(low));
      ASSIGN_OR_RETURN(operand.high, parse_number(range));
    } else if (!range.empty()) {
      return invalid_argument(fmt::format("expected ',' or '~', found '{}'", range));
    }
    operands.push_back(operand);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return operands;
}

Status parse_results(std::string_view text, Case& result) {
  if (text.starts_with("error ")) {
    text = trim(text.substr(6));
    if (text.size() < 2 || text.front() != '"' || text.back() != '"')
      return invalid_argument("expected a quoted error");
    result.error = text.substr(1, text.size() - 2);
    return ok_status();
  }
  ASSIGN_OR_RETURN(std::vector<CaseOperand> types, parse_operands(text));
  for (const CaseOperand& type : types) result.results.push_back(type.type);
  return types.empty() ? invalid_argument("expected a result or an error") : ok_status();
}

Result<Case> parse_case(std::string_view op, std::string_view line) {
  Case result{.op = std::string(op)};
  ASSIGN_OR_RETURN(std::string_view head, take_until(line, ":"));
  if (const size_t space = head.find(' '); space != std::string_view::npos) {
    std::string_view batch = trim(head.substr(space));
    head = head.substr(0, space);
    if (!batch.starts_with("n=")) return invalid_argument(fmt::format("expected n=…, found '{}'", batch));
    ASSIGN_OR_RETURN(const double n, parse_number(batch.substr(2)));
    result.batch = static_cast<int64_t>(n);
  }
  result.name = head;
  ASSIGN_OR_RETURN(std::string_view nothing, take_until(line, "("));
  ASSIGN_OR_RETURN(std::string_view operands, take_until(line, ")"));
  ASSIGN_OR_RETURN(std::string_view attrs, take_until(line, "->"));
  if (!nothing.empty()) return invalid_argument(fmt::format("expected '(', found '{}'", nothing));
  ASSIGN_OR_RETURN(result.operands, parse_operands(operands));
  ASSIGN_OR_RETURN(result.attrs, parse_attrs(attrs));
  RETURN_IF_ERROR(parse_results(trim(line), result));
  return result;
}

int64_t elems(const Type& type, int64_t batch) { return type.elems() * (type.has_batch() ? batch : 1); }

}  // namespace

std::string to_string(const Case& test_case) { return test_case.op + "/" + test_case.name; }

Result<std::vector<Case>> parse_cases(std::string_view op, std::string_view text) {
  std::vector<Case> cases;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    auto parsed = parse_case(op, line);
    if (!parsed.ok()) return invalid_argument(fmt::format("{}.cases:{}: {}", op, number, parsed.status().message()));
    cases.push_back(std::move(parsed).value());
  }
  return cases;
}

std::vector<Case> load_cases(std::string_view op) {
  const std::string text = read_file(fmt::format("tests/ops/{}.cases", op)).value();
  return parse_cases(op, text).value();
}

std::vector<Case> load_valid_cases(std::string_view op) {
  std::vector<Case> cases = load_cases(op);
  std::erase_if(cases, [](const Case& test_case) { return !test_case.error.empty(); });
  return cases;
}

std::vector<Type> operand_types(const Case& test_case) {
  std::vector<Type> types;
  for (const CaseOperand& operand : test_case.operands) types.push_back(operand.type);
  return types;
}

NodeView view(const Case& test_case) {
  return {test_case.op, test_case.attrs, operand_types(test_case), test_case.results};
}

std::vector<int64_t> concrete(const Type& type, int64_t batch) {
  std::vector<int64_t> dims = type.dims;
  if (type.has_batch()) dims[0] = batch;
  return dims;
}

Tensor make_values(const Type& type, double low, double high, int64_t batch, int seed) {
  Tensor tensor(concrete(type, batch));
  const int64_t count = tensor.elems();
  // i -> i·step mod count is a permutation when step and count have no common divisor; near the golden section it
  // scatters.
  int64_t step = static_cast<int64_t>(0.6180339887 * static_cast<double>(count)) + 2 * seed + 1;
  while (std::gcd(step, count) != 1) ++step;
  for (int64_t i = 0; i < count; ++i) {
    const auto place = static_cast<double>((i * step + 7 * seed) % count);
    double& value = tensor.data[static_cast<size_t>(i)];
    if (type.dtype == DType::kF32) {
      value = static_cast<float>(low + (high - low) * (place + 0.25) / static_cast<double>(count));
    } else {
      value = low + std::fmod(place, high - low + 1);
    }
  }
  return tensor;
}

std::vector<Tensor> make_inputs(const Case& test_case) {
  std::vector<Tensor> inputs;
  for (const CaseOperand& operand : test_case.operands) {
    inputs.push_back(
        make_values(operand.type, operand.low, operand.high, test_case.batch, static_cast<int>(inputs.size())));
  }
  return inputs;
}

std::vector<Tensor> run_reference(const NodeView& node, const std::vector<const Tensor*>& inputs, int64_t batch) {
  std::vector<Tensor> outputs;
  for (const Type& type : node.results) outputs.emplace_back(concrete(type, batch));
  find_op(node.op)->reference(node, inputs, outputs);
  return outputs;
}

std::vector<Tensor> run_reference(const Case& test_case, const std::vector<Tensor>& inputs) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  return run_reference(view(test_case), pointers, test_case.batch);
}

double tolerance(const Case& test_case, const Tensor& expected) {
  const NodeView node = view(test_case);
  const OpDef& op = *find_op(test_case.op);
  int64_t terms = 1;
  for (const Type& type : node.inputs) terms = std::max(terms, elems(type, test_case.batch));
  if (op.traits.work != nullptr) terms = op.traits.work(node) * test_case.batch;
  const double length = std::ceil(static_cast<double>(terms) / static_cast<double>(expected.elems()));
  double scale = 1;
  for (double value : expected.data) scale = std::max(scale, std::fabs(value));
  return std::ldexp(1.0, -24) * (16 + 2 * length) * scale;
}

std::string first_difference(const Tensor& expected, const std::vector<double>& found, double allowed) {
  if (found.size() != expected.data.size()) {
    return fmt::format("{} elements, expected {}", found.size(), expected.data.size());
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::fabs(found[i] - expected.data[i]) <= allowed) continue;
    return fmt::format("element {} is {}, expected {} ± {}", i, found[i], expected.data[i], allowed);
  }
  return "";
}

}  // namespace convoke
