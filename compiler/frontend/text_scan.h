// Walks protobuf text outside of its strings and comments: how deep it nests, and in which field a place lies. Used
// before the parser, which recurses, and for messages about what it refuses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/frontend/diagnostics.h"

namespace convoke {

// Where text nests deeper than `most` levels of braces and brackets.
std::optional<Position> find_too_deep(std::string_view text, int most);

// Byte offsets and positions. Columns count as protobuf's do: bytes, tabs to the next multiple of eight.
size_t offset_of(std::string_view text, Position position);
Position position_at(std::string_view text, size_t offset);

// Answers for growing offsets, in linear time altogether.
class TextScan {
 public:
  explicit TextScan(std::string_view text) : text_(text) {}

  // The field whose braces hold the byte at `offset`, "conv2d" of `conv2d { … }`; empty at the outermost level.
  std::string enclosing_field(size_t offset);

 private:
  friend std::optional<Position> find_too_deep(std::string_view text, int most);
  void step();

  std::string_view text_;
  size_t at_ = 0;
  char quote_ = 0;
  bool comment_ = false, escaped_ = false, in_word_ = false;
  std::string word_;               // the last one, with nothing but ':' behind it
  std::vector<std::string> open_;  // fields of the open braces and brackets
};

}  // namespace convoke
