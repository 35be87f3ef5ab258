#include "compiler/frontend/text_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace convoke {
namespace {

namespace pb = google::protobuf;

// The quoted words of a complaint of the given form, in which each * stands for one:
// `Message type "*" has no field named "*".` Protobuf writes them without escapes; they hold no quotes themselves.
std::optional<std::vector<std::string>> match(std::string_view message, std::string_view form) {
  std::vector<std::string> words;
  while (!form.empty()) {
    const size_t star = form.find('*');
    const std::string_view before = form.substr(0, star);
    if (!message.starts_with(before)) return std::nullopt;
    message.remove_prefix(before.size());
    if (star == std::string_view::npos) break;
    form.remove_prefix(star + 1);
    const size_t end = form.empty() ? message.size() : message.find(form.front());
    if (end == std::string_view::npos) return std::nullopt;
    words.emplace_back(message.substr(0, end));
    message.remove_prefix(end);
  }
  return words;
}

std::vector<std::string> field_names(const pb::Descriptor& type, bool ops) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    if ((type.field(i)->containing_oneof() != nullptr) == ops) names.push_back(type.field(i)->name());
  }
  return names;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

// The values of the enumeration field of that name, wherever it is in the messages of `root`.
std::vector<std::string> enum_values(const pb::Descriptor& root, const std::string& field, int depth) {
  std::vector<std::string> names;
  for (int i = 0; i < root.field_count() && names.empty(); ++i) {
    const pb::FieldDescriptor& candidate = *root.field(i);
    if (candidate.message_type() != nullptr && depth > 0) {
      names = enum_values(*candidate.message_type(), field, depth - 1);
    } else if (candidate.enum_type() != nullptr && candidate.name() == field) {
      for (int v = 0; v < candidate.enum_type()->value_count(); ++v) {
        names.push_back(candidate.enum_type()->value(v)->name());
      }
    }
  }
  return names;
}

// The other kind of file, when its outermost message has the field.
std::string hint_at_other_kind(const pb::Descriptor& root, const std::string& field) {
  const bool is_model = root.name() == "Model";
  const pb::Descriptor* other =
      root.file()->pool()->FindMessageTypeByName(is_model ? "convoke.schema.Recipe" : "convoke.schema.Model");
  if (other == nullptr || other->FindFieldByName(field) == nullptr) return "";
  return is_model ? "recipes have it: is this file one, rather than a model?"
                  : "models have it: is this file one, rather than a recipe?";
}

struct Rewording {
  std::string_view expected, ours, hint;
};
constexpr Rewording kExpected[] = {
    {"identifier", "the name of a field", ""},
    {"integer", "an integer", ""},
    {"string", "a string", "strings stand in quotes: name: \"conv1\""},
    {"double", "a number", ""},
    {"\":\"", "a colon", "values follow a colon: name: \"conv1\", kernel: 3"},
    {"\"{\"", "\"{\"", "messages have braces, empty ones too: relu {}"},
};

}  // namespace

std::string message_name(const pb::Descriptor& type, const std::string& field) {
  if (!field.empty()) return field;
  return type.name() == "Model" ? "a model" : "a recipe";
}

// Where `word` begins, the last time before a place.
Position TextErrors::start_of_last(const std::string& word, Position behind) const {
  const size_t offset = offset_of(text_, behind);
  const size_t found = offset == 0 ? std::string::npos : text_.rfind(word, offset - 1);
  return found == std::string::npos ? behind : position_at(text_, found);
}

// The word or sign at a place.
std::string TextErrors::found_there(Position position) const {
  const size_t begin = offset_of(text_, position);
  if (begin >= text_.size()) return "the end of the file";
  size_t end = text_[begin] == '-' ? begin + 1 : begin;
  while (end < text_.size() && is_word(text_[end])) ++end;
  if (end == begin && (text_[begin] == '"' || text_[begin] == '\'')) {
    end = std::min(text_.find(text_[begin], begin + 1), text_.find('\n', begin));
    if (end != std::string::npos && text_[end] == text_[begin]) return text_.substr(begin, end - begin + 1);
  }
  return fmt::format("\"{}\"", text_.substr(begin, std::max<size_t>(end - begin, 1)));
}

// For a sign where a field should begin.
std::string TextErrors::hint_at_sign(Position position) const {
  const size_t offset = offset_of(text_, position);
  if (offset >= text_.size()) return "a closing brace is missing";
  if (text_[offset] == '}') return "there is one closing brace too many";
  if (text_[offset] == '{') return "is this JSON? Models and recipes are protobuf text: name: \"lenet\"";
  return text_[offset] == '/' ? "comments begin with #" : "";
}

void TextErrors::AddError(int line, pb::io::ColumnNumber column, const std::string& message) {
  if (std::exchange(broken_, true)) return;
  Position position{line + 1, column + 1};
  std::string text = message.substr(0, message.find_last_not_of('.') + 1), hint;
  if (auto words = match(text, "Unknown enumeration value of \"*\" for field \"*\"")) {
    position = start_of_last((*words)[0], position);
    text = fmt::format("{} has no value \"{}\"", (*words)[1], (*words)[0]);
    hint = suggest((*words)[0], enum_values(root_, (*words)[1], 2));
  } else if (auto field = match(text, "Non-repeated field \"*\" is specified multiple times")) {
    text = fmt::format("{} is given twice", (*field)[0]);
    hint = "leave one of them out";
  } else if (auto ops = match(text, "Field \"*\" is specified along with field \"*\", another member of oneof \"*\"")) {
    position = start_of_last((*ops)[0], position);
    text = fmt::format("the layer has two ops, {} and {}", (*ops)[1], (*ops)[0]);
    hint = "make two layers of it";
  } else if (text.starts_with("String literals cannot cross line") || text == "Unexpected end of string") {
    text = "the string does not end on its line";
    hint = "put a quote behind it";
  } else if (text.starts_with("Interpreting non ascii")) {
    text = "a letter that is none of ASCII's, outside of a string";
  } else if (auto number = match(text, "Integer out of range (*)")) {
    text = fmt::format("{} is out of the field's range", (*number)[0]);
  } else if (auto boolean = match(text, "Invalid value for boolean field \"*\". Value: \"*\"")) {
    position = start_of_last((*boolean)[1], position);
    text = fmt::format("{} is {}, expected true or false", (*boolean)[0], (*boolean)[1]);
  } else if (text.starts_with("Expected ")) {
    for (const Rewording& rewording : kExpected) {
      if (!text.starts_with("Expected " + std::string(rewording.expected))) continue;
      const std::string found = found_there(position);
      const bool negative = found.starts_with("\"-");  // where it is no part of a number: unsigned fields
      text = fmt::format("expected {}{}, found {}", rewording.ours, negative ? " of at least 0" : "", found);
      hint = rewording.hint;
      break;
    }
    if (message.starts_with("Expected identifier")) hint = hint_at_sign(position);
  }
  if (text[0] != '"') text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  diagnostics_.add({"E0101", position, "", text, hint});
}

// Unknown fields are warnings for a parser that goes on behind them.
void TextErrors::AddWarning(int line, pb::io::ColumnNumber column, const std::string& message) {
  if (broken_ || diagnostics_.full()) return;
  const Position position{line + 1, column + 1};
  if (const auto words = match(message, "Message type \"*\" has no field named \"*\"")) {
    return add_unknown_field(start_of_last((*words)[1], position), (*words)[0], (*words)[1]);
  }
  if (const auto words = match(message, "Ignoring extension \"*\"")) {
    unknown_.push_back(start_of_last((*words)[0], position));
    diagnostics_.add({"E0102", unknown_.back(), "", fmt::format("there is no extension [{}]", (*words)[0]), ""});
    return;
  }
  AddError(line, column, message);
}

void TextErrors::add_unknown_field(Position position, const std::string& type_name, const std::string& field) {
  const pb::Descriptor* type = root_.file()->pool()->FindMessageTypeByName(type_name);
  ENSURE(type != nullptr) << type_name;
  unknown_.push_back(position);
  const auto fields = field_names(*type, false), ops = field_names(*type, true);
  const std::string within = message_name(*type, scan_.enclosing_field(offset_of(text_, position)));
  if (!ops.empty()) {
    std::string hint = nearest(field, fields);
    hint = hint.empty() ? suggest(field, ops) : fmt::format("did you mean \"{}\"?", hint);
    if (root_.FindFieldByName(field) != nullptr) hint = "is a closing brace missing before it?";
    diagnostics_.add({"E0103", position, "", fmt::format("there is no op \"{}\"", field), hint});
    return;
  }
  std::string hint = suggest(field, fields);
  if (type == &root_) {
    if (const std::string other = hint_at_other_kind(root_, field); !other.empty()) hint = other;
  }
  if (hint.empty()) hint = fmt::format("{} has no fields: {} {{}}", within, within);
  diagnostics_.add({"E0102", position, "", fmt::format("{} has no field \"{}\"", within, field), hint});
}

}  // namespace convoke
