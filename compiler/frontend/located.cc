#include "compiler/frontend/located.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace convoke {
namespace {

namespace pb = google::protobuf;

constexpr int kMaxDepth = 32;
constexpr size_t kMaxBytes = size_t{4} << 20;

const pb::FieldDescriptor* field_of(const pb::Message& message, int number) {
  return message.GetDescriptor()->FindFieldByNumber(number);
}

bool is_text(const std::string& bytes) {
  return std::ranges::none_of(
      bytes, [](unsigned char c) { return (c < 32 && c != '\t' && c != '\n' && c != '\r') || c == 127; });
}

// Where text nests deeper than kMaxDepth: protobuf's parser, and the skipping of unknown fields, recurse.
std::optional<Position> find_too_deep(const std::string& text) {
  int depth = 0;
  Position here{1, 0};
  char quote = 0;
  bool comment = false, escaped = false;
  for (char c : text) {
    ++here.column;
    if (c == '\n') {
      here = {here.line + 1, 0};
      comment = escaped = false;
      quote = 0;  // strings end with their line; the parser reports it
    } else if (comment) {
      continue;
    } else if (quote != 0) {
      if (c == quote && !escaped) quote = 0;
      escaped = c == '\\' && !escaped;
    } else if (c == '#') {
      comment = true;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '{' || c == '<' || c == '[') {
      if (++depth > kMaxDepth) return here;
    } else if (c == '}' || c == '>' || c == ']') {
      --depth;
    }
  }
  return std::nullopt;
}

// "convoke.schema.Conv2d" is Conv2d to a reader.
std::string_view short_name(std::string_view full_name) { return full_name.substr(full_name.rfind('.') + 1); }

std::vector<std::string> field_names(const pb::Descriptor& type, bool ops) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    if ((type.field(i)->containing_oneof() != nullptr) == ops) names.push_back(type.field(i)->name());
  }
  return names;
}

// `Message type "convoke.schema.Conv2d" has no field named "chanels".`
struct UnknownField {
  std::string type, field;
};
std::optional<UnknownField> as_unknown_field(const std::string& message) {
  constexpr std::string_view kStart = "Message type \"", kMiddle = "\" has no field named \"";
  const size_t middle = message.find(kMiddle);
  if (!message.starts_with(kStart) || middle == std::string::npos) return std::nullopt;
  const size_t field = middle + kMiddle.size();
  return UnknownField{message.substr(kStart.size(), middle - kStart.size()),
                      message.substr(field, message.rfind('"') - field)};
}

// The parser reports an unknown field when it stands behind the name: goes back to where that starts. Columns count as
// protobuf's do, tabs to the next multiple of eight.
Position start_of_name(const std::string& text, Position behind, const std::string& name) {
  size_t start = 0;
  for (int line = 1; line < behind.line; ++line) start = text.find('\n', start) + 1;
  const std::string line = text.substr(start, text.find('\n', start) - start);
  int column = 1;
  Position found = behind;
  for (size_t i = 0; i < line.size() && column < behind.column; ++i) {
    if (line.compare(i, name.size(), name) == 0) found.column = column;
    column = line[i] == '\t' ? (column + 7) / 8 * 8 + 1 : column + 1;
  }
  return found;
}

class Collector : public pb::io::ErrorCollector {
 public:
  Collector(const std::string& text, const pb::Descriptor& root, Diagnostics& diagnostics,
            std::vector<Position>& unknown)
      : text_(text), root_(root), diagnostics_(diagnostics), unknown_(unknown) {}

  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    std::string text = message.substr(0, message.find_last_not_of('.') + 1);
    if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    diagnostics_.add({"E0101", {line + 1, column + 1}, "", text, ""});
  }

  // Unknown fields are warnings for a parser that goes on behind them.
  void AddWarning(int line, pb::io::ColumnNumber column, const std::string& message) override {
    const auto found = as_unknown_field(message);
    if (!found) return AddError(line, column, message);
    const pb::Descriptor* type = root_.file()->pool()->FindMessageTypeByName(found->type);
    ENSURE(type != nullptr) << found->type;
    if (diagnostics_.full()) return;
    const Position position = start_of_name(text_, {line + 1, column + 1}, found->field);
    unknown_.push_back(position);
    const auto fields = field_names(*type, false), ops = field_names(*type, true);
    if (ops.empty()) {
      diagnostics_.add({"E0102", position, "",
                        fmt::format("{} has no field \"{}\"", short_name(found->type), found->field),
                        suggest(found->field, fields)});
      return;
    }
    const std::string near = nearest(found->field, fields);
    diagnostics_.add({"E0103", position, "", fmt::format("there is no op \"{}\"", found->field),
                      near.empty() ? suggest(found->field, ops) : fmt::format("did you mean \"{}\"?", near)});
  }

 private:
  const std::string& text_;
  const pb::Descriptor& root_;
  Diagnostics& diagnostics_;
  std::vector<Position>& unknown_;
};

ReadMessage read_text(const std::string& text, pb::Message& message, Places& places, Diagnostics& diagnostics) {
  if (const auto position = find_too_deep(text)) {
    diagnostics.add({"E0105", *position, "", fmt::format("nested deeper than {} levels", kMaxDepth), ""});
    return {};
  }
  ReadMessage result{.usable = false, .places = &places, .unknown = {}};
  Collector collector(text, *message.GetDescriptor(), diagnostics, result.unknown);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(&places);
  parser.AllowUnknownField(true);
  result.usable = parser.ParseFromString(text, &message);
  return result;
}

// Reports the first field that the schema does not know.
bool has_unknown_fields(const pb::Message& message, Diagnostics& diagnostics) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (const pb::UnknownFieldSet& unknown = reflection.GetUnknownFields(message); !unknown.empty()) {
    diagnostics.add({"E0106",
                     {},
                     "",
                     fmt::format("{} has no field with the number {}, or not with that value",
                                 short_name(message.GetDescriptor()->full_name()), unknown.field(0).number()),
                     "the file may be of a later version of Convoke, or no model at all"});
    return true;
  }
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (has_unknown_fields(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                  : reflection.GetMessage(message, field),
                             diagnostics)) {
        return true;
      }
    }
  }
  return false;
}

ReadMessage read_binary(const std::string& bytes, pb::Message& message, Diagnostics& diagnostics) {
  pb::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMaxDepth);
  if (!message.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    diagnostics.add({"E0104", {}, "", "neither a text nor a binary protobuf of this kind", ""});
    return {};
  }
  return {.usable = !has_unknown_fields(message, diagnostics), .places = nullptr, .unknown = {}};
}

}  // namespace

Position position_of(const pb::Message& message, const Places* places, int field_number, int index,
                     Position otherwise) {
  if (places == nullptr) return {};
  const pb::FieldDescriptor* field = field_of(message, field_number);
  const int first = field->is_repeated() ? 0 : -1;
  // A list in brackets has one place, that of its first value.
  for (int i : {std::max(index, first), first}) {
    const auto location = places->GetLocation(field, field->is_repeated() ? i : -1);
    if (location.line >= 0) return {location.line + 1, location.column + 1};
  }
  return otherwise;
}

const Places* places_of(const pb::Message& message, const Places* places, int field_number, int index) {
  return places == nullptr ? nullptr : places->GetTreeForNested(field_of(message, field_number), index);
}

bool holds_one_of(const std::vector<Position>& positions, const pb::Message& message, const Places* places,
                  int field_number, int index) {
  if (places == nullptr) return false;
  const auto range = places->GetLocationRange(field_of(message, field_number), index);
  const Position start{range.start.line + 1, range.start.column + 1}, end{range.end.line + 1, range.end.column + 1};
  return std::ranges::any_of(positions, [&](Position position) { return start <= position && position <= end; });
}

ReadMessage read_message(const std::string& bytes, pb::Message& message, Places& places, Diagnostics& diagnostics) {
  if (bytes.size() > kMaxBytes) {
    diagnostics.add({"E0107", {}, "", fmt::format("has {} bytes, expected at most {}", bytes.size(), kMaxBytes), ""});
    return {};
  }
  return is_text(bytes) ? read_text(bytes, message, places, diagnostics) : read_binary(bytes, message, diagnostics);
}

void report_unreadable(const Status& status, const std::string& path, Diagnostics& diagnostics) {
  std::string message = status.message();
  if (message.starts_with(path + ": ")) message.erase(0, path.size() + 2);
  diagnostics.add({"E0108", {}, "", message, ""});
}

}  // namespace convoke
