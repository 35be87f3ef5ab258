#include "compiler/frontend/fields.h"

#include <fmt/format.h>

namespace convoke {
namespace {

namespace pb = google::protobuf;

const pb::FieldDescriptor* find(const pb::Message& message, const std::string& field) {
  return message.GetDescriptor()->FindFieldByName(field);
}

bool is_set(const pb::Message& message, const pb::FieldDescriptor* field) {
  if (field == nullptr) return false;
  const pb::Reflection& reflection = *message.GetReflection();
  return field->is_repeated() ? reflection.FieldSize(message, field) > 0 : reflection.HasField(message, field);
}

std::vector<int64_t> stated_values(const pb::Message& message, const pb::FieldDescriptor* field) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) return {reflection.GetInt64(message, field)};
  std::vector<int64_t> values;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    values.push_back(reflection.GetRepeatedInt64(message, field, i));
  }
  return values;
}

}  // namespace

std::optional<int64_t> find_parameter(const Parameters& parameters, const std::string& name, Position position,
                                      Report& report) {
  if (auto found = parameters.find(name); found != parameters.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, value] : parameters) names.push_back(known);
  report.error("E0303", position, fmt::format("there is no parameter \"{}\" here", name),
               names.empty() ? "say `classes: 10` in the model, or `parameter { name: \"…\" }` in the block"
                             : suggest(name, names));
  return std::nullopt;
}

bool Fields::has(const std::string& field) const {
  return is_set(*message_.message, find(*message_.message, field)) ||
         is_set(*message_.message, find(*message_.message, field + "_from"));
}

Position Fields::position_of(const std::string& field, int index) const {
  const pb::FieldDescriptor* from = find(*message_.message, field + "_from");
  const bool is_from = is_set(*message_.message, from);
  const int number = is_from ? from->number() : find(*message_.message, field)->number();
  return convoke::position_of(message_, number, is_from ? -1 : index, position_);
}

std::vector<int64_t> Fields::values(const std::string& field, Range range) {
  const pb::Message& message = *message_.message;
  const pb::FieldDescriptor *stated = find(message, field), *from = find(message, field + "_from");
  std::vector<int64_t> values;
  if (is_set(message, stated)) values = stated_values(message, stated);
  if (is_set(message, from)) {
    if (!values.empty()) {
      report_.error("E0404", position_of(field), fmt::format("{} and {}_from exclude each other", field, field),
                    "leave one of them out");
      return {};
    }
    const auto value =
        find_parameter(parameters_, message.GetReflection()->GetString(message, from), position_of(field), report_);
    if (!value) return {};
    values = {*value};
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= range.min && values[i] <= range.max) continue;
    report_.error("E0401", position_of(field, static_cast<int>(i)),
                  fmt::format("{} is {}, expected {} to {}", field, values[i], range.min, range.max));
    return {};
  }
  return values;
}

void Fields::missing(const std::string& field) {
  report_.error("E0403", position_, fmt::format("{} is missing", field), fmt::format("say `{}: …` here", field));
}

int64_t Fields::required(const std::string& field, Range range) {
  if (has(field)) return optional(field, range, range.min);
  missing(field);
  return range.min;
}

int64_t Fields::optional(const std::string& field, Range range, int64_t otherwise) {
  const std::vector<int64_t> given = values(field, range);
  return given.empty() ? otherwise : given[0];
}

std::vector<int64_t> Fields::required_pair(const std::string& field, Range range) {
  if (!has(field)) missing(field);
  return pair(field, range, {range.min, range.min});
}

std::vector<int64_t> Fields::pair(const std::string& field, Range range, std::vector<int64_t> otherwise) {
  std::vector<int64_t> given = values(field, range);
  if (given.empty()) return otherwise;
  if (given.size() == 1) return {given[0], given[0]};
  if (given.size() == 2) return given;
  report_.error("E0402", position_of(field), fmt::format("{} has {} values, expected 1 or 2", field, given.size()),
                "one value for both directions, or [y, x]");
  return otherwise;
}

std::vector<int64_t> Fields::sides(const std::string& field, Range range) {
  std::vector<int64_t> given = values(field, range);
  if (given.empty()) return {0, 0, 0, 0};
  if (given.size() == 1) return std::vector<int64_t>(4, given[0]);
  if (given.size() == 2) return {given[0], given[0], given[1], given[1]};
  if (given.size() == 4) return given;
  report_.error("E0402", position_of(field), fmt::format("{} has {} values, expected 1, 2 or 4", field, given.size()),
                "one value for all sides, [y, x], or [top, bottom, left, right]");
  return {0, 0, 0, 0};
}

double Fields::number(const std::string& field, double min, double max) {
  const pb::Message& message = *message_.message;
  const double value = message.GetReflection()->GetDouble(message, find(message, field));
  if (value >= min && value <= max) return value;
  report_.error("E0401", position_of(field), fmt::format("{} is {}, expected {} to {}", field, value, min, max));
  return min;
}

}  // namespace convoke
