// Patterns and rules of signature.h, matched and reported.
#include "compiler/ops/signature.h"

#include <fmt/format.h>

#include <map>

#include "compiler/ir/text.h"

namespace convoke {
namespace {

struct Pattern {
  std::string_view dtype;
  std::vector<std::string_view> dims;
};

Pattern split_pattern(std::string_view text) {
  const size_t open = text.find('[');
  ENSURE(open != std::string_view::npos && text.back() == ']') << text;
  Pattern pattern{text.substr(0, open), {}};
  std::string_view dims = text.substr(open + 1, text.size() - open - 2);
  while (!dims.empty()) {
    const size_t comma = dims.find(',');
    pattern.dims.push_back(dims.substr(0, comma));
    dims.remove_prefix(comma == std::string_view::npos ? dims.size() : comma + 1);
  }
  return pattern;
}

using Sizes = std::map<std::string_view, int64_t>;  // by name in the patterns

bool is_number(std::string_view name) { return name[0] >= '0' && name[0] <= '9'; }

bool matches(const Type& type, const Pattern& pattern, Sizes& sizes) {
  if (to_string(type.dtype) != pattern.dtype || type.dims.size() != pattern.dims.size()) return false;
  for (size_t i = 0; i < type.dims.size(); ++i) {
    const std::string_view name = pattern.dims[i];
    if ((name == "n") != (type.dims[i] == kBatch)) return false;
    if (is_number(name) ? std::to_string(type.dims[i]) != name
                        : sizes.emplace(name, type.dims[i]).first->second != type.dims[i]) {
      return false;
    }
  }
  return true;
}

// The pattern with the sizes that other operands have fixed.
std::string describe(const Pattern& pattern, const Sizes& sizes) {
  std::string text(pattern.dtype);
  text += '[';
  for (std::string_view name : pattern.dims) {
    if (text.back() != '[') text += ',';
    auto size = sizes.find(name);
    text += size == sizes.end() || name == "n" ? std::string(name) : std::to_string(size->second);
  }
  return text + ']';
}

std::string describe(const AttrRule& rule) {
  std::string what = rule.kind == AttrRule::kFloat ? "a number"
                     : rule.kind == AttrRule::kInt ? "an integer"
                     : rule.count == 1             ? "a list of one integer"
                                                   : fmt::format("a list of {} integers", rule.count);
  return fmt::format("{} from {} to {}", what, rule.min, rule.max);
}

bool satisfies(const Attr& attr, const AttrRule& rule) {
  auto in_range = [&](auto value) { return value >= rule.min && value <= rule.max; };
  if (const auto* value = std::get_if<int64_t>(&attr)) return rule.kind == AttrRule::kInt && in_range(*value);
  if (const auto* value = std::get_if<double>(&attr)) return rule.kind == AttrRule::kFloat && in_range(*value);
  const auto* values = std::get_if<std::vector<int64_t>>(&attr);
  if (values == nullptr || rule.kind != AttrRule::kInts || values->size() != rule.count) return false;
  for (int64_t value : *values) {
    if (!in_range(value)) return false;
  }
  return true;
}

// "stride is [0,1]" from {stride=[0,1]}.
std::string found(std::string_view key, const Attr& attr) {
  const std::string text = print_attrs({{"v", attr}});
  return fmt::format("{} is {}", key, text.substr(3, text.size() - 4));
}

}  // namespace

Status expect_operands(const NodeView& node, std::initializer_list<Operand> operands, int optional) {
  const size_t most = operands.size(), least = most - static_cast<size_t>(optional);
  if (node.inputs.size() < least || node.inputs.size() > most) {
    std::string names;
    for (const Operand& operand : operands) names += (names.empty() ? "" : ", ") + std::string(operand.name);
    const std::string count = least == most ? std::to_string(most) : fmt::format("{} to {}", least, most);
    return invalid_argument(
        fmt::format("{} has {} operands, expected {} ({})", node.op, node.inputs.size(), count, names));
  }
  Sizes sizes;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Operand& operand = operands.begin()[i];
    const Pattern pattern = split_pattern(operand.pattern);
    Sizes extended = sizes;
    if (!matches(node.inputs[i], pattern, extended)) {
      return invalid_argument(
          fmt::format("{} is {}, expected {}", operand.name, to_string(node.inputs[i]), describe(pattern, sizes)));
    }
    sizes = std::move(extended);
  }
  return ok_status();
}

Status expect_attrs(const NodeView& node, std::initializer_list<AttrRule> rules) {
  for (const AttrRule& rule : rules) {
    auto attr = node.attrs.find(rule.key);
    if (attr == node.attrs.end()) {
      return invalid_argument(fmt::format("{} needs {}: {}", node.op, rule.key, describe(rule)));
    }
    if (!satisfies(attr->second, rule)) {
      return invalid_argument(fmt::format("{}, expected {}", found(rule.key, attr->second), describe(rule)));
    }
  }
  for (const auto& [key, attr] : node.attrs) {
    bool known = false;
    for (const AttrRule& rule : rules) known |= rule.key == key;
    if (!known) return invalid_argument(fmt::format("{} has no attribute {}", node.op, key));
  }
  return ok_status();
}

}  // namespace convoke
