#include "compiler/frontend/located.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "compiler/frontend/text_errors.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

namespace pb = google::protobuf;

constexpr int kMaxDepth = 32;
constexpr size_t kMaxBytes = size_t{1} << 20;

const pb::FieldDescriptor* field_of(const pb::Message& message, int number) {
  return message.GetDescriptor()->FindFieldByNumber(number);
}

bool is_text(const std::string& bytes) {
  return std::ranges::none_of(
      bytes, [](unsigned char c) { return (c < 32 && c != '\t' && c != '\n' && c != '\r') || c == 127; });
}

ReadMessage read_text(const std::string& text, pb::Message& message, Places& places, Diagnostics& diagnostics) {
  if (const auto position = find_too_deep(text, kMaxDepth)) {
    diagnostics.add({"E0105", *position, "", fmt::format("nested deeper than {} levels", kMaxDepth), ""});
    return {};
  }
  TextErrors errors(text, *message.GetDescriptor(), diagnostics);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&places);
  parser.AllowUnknownField(true);
  const bool usable = parser.ParseFromString(text, &message);
  return {.usable = usable, .places = &places, .unknown = errors.unknown_fields()};
}

// Reports the first field that the schema does not know. `field`: whose value the message is.
bool has_unknown_fields(const pb::Message& message, const std::string& field, Diagnostics& diagnostics) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (const pb::UnknownFieldSet& unknown = reflection.GetUnknownFields(message); !unknown.empty()) {
    diagnostics.add({"E0106",
                     {},
                     "",
                     fmt::format("{} has no field with the number {}, or not with that value",
                                 message_name(*message.GetDescriptor(), field), unknown.field(0).number()),
                     "the file may be of a later version of Convoke, or no model at all"});
    return true;
  }
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* inner : fields) {
    if (inner->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = inner->is_repeated() ? reflection.FieldSize(message, inner) : 1;
    for (int i = 0; i < count; ++i) {
      if (has_unknown_fields(inner->is_repeated() ? reflection.GetRepeatedMessage(message, inner, i)
                                                  : reflection.GetMessage(message, inner),
                             inner->name(), diagnostics)) {
        return true;
      }
    }
  }
  return false;
}

ReadMessage read_binary(const std::string& bytes, pb::Message& message, Diagnostics& diagnostics) {
  const pb::LogSilencer silencer;  // it prints that strings are no UTF-8, which is_path() and the file system judge
  pb::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMaxDepth);
  if (!message.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    diagnostics.add({"E0104",
                     {},
                     "",
                     "neither a text nor a binary protobuf of this kind",
                     "the file is truncated, damaged, or not a model or recipe at all"});
    return {};
  }
  return {.usable = !has_unknown_fields(message, "", diagnostics), .places = nullptr, .unknown = {}};
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

size_t count_within(const std::vector<Position>& positions, const pb::Message& message, const Places* places,
                    int field_number, int index) {
  if (places == nullptr || positions.empty()) return 0;
  const auto range = places->GetLocationRange(field_of(message, field_number), index);
  const Position start{range.start.line + 1, range.start.column + 1}, end{range.end.line + 1, range.end.column + 1};
  const auto within = [&](Position position) { return start <= position && position <= end; };
  return static_cast<size_t>(std::ranges::count_if(positions, within));
}

ReadMessage read_message(const std::string& bytes, pb::Message& message, Places& places, Diagnostics& diagnostics) {
  if (bytes.size() > kMaxBytes) {
    diagnostics.add({"E0107",
                     {},
                     "",
                     fmt::format("the file is too large, expected at most {} bytes", kMaxBytes),
                     "weights do not belong into a model or recipe"});
    return {};
  }
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // some editors put it in front
  if (!is_text(bytes)) return read_binary(bytes, message, diagnostics);
  const bool marked = bytes.starts_with(kByteOrderMark);
  return read_text(marked ? bytes.substr(kByteOrderMark.size()) : bytes, message, places, diagnostics);
}

std::optional<std::string> read_definition(const std::string& path, Diagnostics& diagnostics) {
  Result<std::string> bytes = read_file_start(path, kMaxBytes + 1);
  if (bytes.ok()) return std::move(bytes).value();
  std::string message = bytes.status().message();
  if (message.starts_with(path + ": ")) message.erase(0, path.size() + 2);
  diagnostics.add({"E0108", {}, "", message, ""});
  return std::nullopt;
}

}  // namespace convoke
