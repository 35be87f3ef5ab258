#include <charconv>
#include <optional>

#include "compiler/ir/text.h"

namespace convoke {
namespace {

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' || c == '/';
}

// Reads tokens of one piece of text; the first mistake is kept in `error`.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() {
    skip_spaces();
    return text_.empty();
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("expected '" + std::string(token) + "'");
  }
  std::string name() {
    skip_spaces();
    size_t length = 0;
    while (length < text_.size() && is_name_char(text_[length])) ++length;
    if (length == 0) fail("expected a name");
    return take(length);
  }
  std::string string() {
    expect("\"");
    std::string value;
    while (!text_.empty() && text_[0] != '"') {
      if (text_[0] == '\\' && text_.size() > 1) text_.remove_prefix(1);
      value += text_[0];
      text_.remove_prefix(1);
    }
    expect("\"");
    return value;
  }
  int64_t integer() { return number<int64_t>(); }
  Attr attr() {
    skip_spaces();
    if (text_.starts_with('"')) return string();
    if (accept("[")) return integers_until("]");
    size_t length = text_.find_first_of(",} \t");
    std::string_view token = text_.substr(0, length);
    if (token.find_first_of(".en") != std::string_view::npos) return number<double>();
    return number<int64_t>();
  }
  std::vector<int64_t> integers_until(std::string_view close) {
    std::vector<int64_t> values;
    if (accept(close)) return values;
    do values.push_back(integer());
    while (ok() && accept(","));
    expect(close);
    return values;
  }
  Type type() {
    Type type;
    if (accept("f32")) {
      type.dtype = DType::kF32;
    } else if (accept("i32")) {
      type.dtype = DType::kI32;
    } else if (accept("u8")) {
      type.dtype = DType::kU8;
    } else {
      fail("expected a type such as f32[n,8]");
    }
    expect("[");
    if (accept("]")) return type;
    do type.dims.push_back(type.dims.empty() && accept("n") ? kBatch : integer());
    while (ok() && accept(","));
    expect("]");
    return type;
  }
  Attrs attrs() {  // behind the '{'
    Attrs attrs;
    if (accept("}")) return attrs;
    do {
      std::string key = name();
      expect("=");
      if (ok()) attrs[key] = attr();
    } while (ok() && accept(","));
    expect("}");
    return attrs;
  }

  void fail(std::string why) {
    if (ok()) error_ = why + " at '" + std::string(text_.substr(0, 20)) + "'";
  }
  bool ok() const { return !error_; }
  Status status() const { return ok() ? ok_status() : invalid_argument(*error_); }

 private:
  void skip_spaces() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t')) text_.remove_prefix(1);
  }
  std::string take(size_t length) {
    std::string token(text_.substr(0, length));
    text_.remove_prefix(length);
    return token;
  }
  template <typename T>
  T number() {
    skip_spaces();
    T value = 0;
    auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc()) {
      fail("expected a number");
      return 0;
    }
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return value;
  }

  std::string_view text_;
  std::optional<std::string> error_;
};

class Parser {
 public:
  Status line(std::string_view text) {
    Reader reader(text);
    if (reader.at_end()) return ok_status();
    if (reader.accept("graph ")) {
      graph_.name = reader.name();
    } else if (reader.accept("store ")) {
      ValueId state = operand(reader);
      reader.expect(",");
      graph_.stores.push_back({state, operand(reader)});
    } else if (reader.accept("output ")) {
      graph_.outputs.push_back(operand(reader));
    } else if (!accept_phase(reader)) {
      node(reader);
    }
    if (reader.ok() && !reader.at_end()) reader.fail("expected the end of the line");
    return reader.status();
  }
  Graph take() && { return std::move(graph_); }

 private:
  bool accept_phase(Reader& reader) {
    for (Phase phase : {Phase::kPrepare, Phase::kForward, Phase::kLoss, Phase::kBackward, Phase::kUpdate}) {
      if (!reader.accept(std::string(to_string(phase)) + ":")) continue;
      phase_ = phase;
      return true;
    }
    return false;
  }
  ValueId operand(Reader& reader) {
    reader.expect("%");
    std::string name = reader.name();
    auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    reader.fail("no value %" + name);
    return kNoValue;
  }
  void node(Reader& reader) {
    Node node;
    std::vector<std::string> names;
    do {
      reader.expect("%");
      names.push_back(reader.name());
    } while (reader.ok() && reader.accept(","));
    reader.expect("=");
    node.op = reader.name();
    node.phase = is_source(node.op) ? Phase::kForward : phase_;
    reader.expect("(");
    if (!reader.accept(")")) {
      do node.inputs.push_back(operand(reader));
      while (reader.ok() && reader.accept(","));
      reader.expect(")");
    }
    if (reader.accept("{")) node.attrs = reader.attrs();
    reader.expect(":");
    for (const std::string& name : names) {
      if (!reader.ok()) return;
      if (&name != &names[0]) reader.expect(",");
      define(reader, node, name, reader.type());
    }
    graph_.nodes.push_back(std::move(node));
  }
  void define(Reader& reader, Node& node, const std::string& name, Type type) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(name, id).second) reader.fail("%" + name + " is defined twice");
    graph_.values.push_back(
        {name, std::move(type), static_cast<NodeId>(graph_.nodes.size()), static_cast<int>(node.results.size())});
    node.results.push_back(id);
  }

  Graph graph_;
  Phase phase_ = Phase::kForward;
  std::map<std::string, ValueId, std::less<>> ids_;
};

template <typename T, typename Read>
Result<T> parse_whole(std::string_view text, Read read) {
  Reader reader(text);
  T value = read(reader);
  if (reader.ok() && !reader.at_end()) reader.fail("expected the end");
  RETURN_IF_ERROR(reader.status());
  return value;
}

}  // namespace

Result<Graph> parse(std::string_view text) {
  Parser parser;
  for (int number = 1; !text.empty(); ++number) {
    size_t end = text.find('\n');
    Status status = parser.line(text.substr(0, end));
    if (!status.ok()) return invalid_argument("line " + std::to_string(number) + ": " + status.message());
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::move(parser).take();
}

Result<Type> parse_type(std::string_view text) {
  return parse_whole<Type>(text, [](Reader& reader) { return reader.type(); });
}

Result<Attrs> parse_attrs(std::string_view text) {
  return parse_whole<Attrs>(text, [](Reader& reader) { return reader.accept("{") ? reader.attrs() : Attrs{}; });
}

}  // namespace convoke
