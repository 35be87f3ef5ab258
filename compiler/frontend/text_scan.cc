#include "compiler/frontend/text_scan.h"

#include <algorithm>
#include <cctype>

namespace convoke {

// One byte. Strings end with their line at the latest: the parser reports those that should not.
void TextScan::step() {
  const char c = text_[at_++];
  const bool letter = std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  const bool was_in_word = std::exchange(in_word_, false);
  if (c == '\n') {
    comment_ = escaped_ = false;
    quote_ = 0;
  } else if (comment_) {
    return;
  } else if (quote_ != 0) {
    if (c == quote_ && !escaped_) quote_ = 0;
    escaped_ = c == '\\' && !escaped_;
  } else if (c == '#') {
    comment_ = true;
  } else if (c == '"' || c == '\'') {
    quote_ = c;
    word_.clear();
  } else if (letter) {
    if (!was_in_word) word_.clear();
    word_ += c;
    in_word_ = true;
  } else if (c == '{' || c == '<' || c == '[') {
    open_.push_back(word_.empty() && !open_.empty() ? open_.back() : word_);  // of a list: as the list
    word_.clear();
  } else if (c == '}' || c == '>' || c == ']') {
    if (!open_.empty()) open_.pop_back();
    word_.clear();
  } else if (c != ':' && !std::isspace(static_cast<unsigned char>(c))) {
    word_.clear();
  }
}

std::string TextScan::enclosing_field(size_t offset) {
  if (offset < at_) *this = TextScan(text_);
  while (at_ < std::min(offset, text_.size())) step();
  return open_.empty() ? "" : open_.back();
}

std::optional<Position> find_too_deep(std::string_view text, int most) {
  TextScan scan(text);
  while (scan.at_ < text.size()) {
    scan.step();
    if (scan.open_.size() > static_cast<size_t>(most)) return position_at(text, scan.at_ - 1);
  }
  return std::nullopt;
}

size_t offset_of(std::string_view text, Position position) {
  size_t at = 0;
  for (int line = 1; line < position.line; ++line) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return text.size();
    at = end + 1;
  }
  for (int column = 1; at < text.size() && text[at] != '\n' && column < position.column; ++at) {
    column = text[at] == '\t' ? (column + 7) / 8 * 8 + 1 : column + 1;
  }
  return at;
}

Position position_at(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  Position position{1 + static_cast<int>(std::ranges::count(before, '\n')), 1};
  for (char c : before.substr(before.rfind('\n') + 1)) {
    position.column = c == '\t' ? (position.column + 7) / 8 * 8 + 1 : position.column + 1;
  }
  return position;
}

}  // namespace convoke
