#pragma once

#include <string>

namespace convoke {

// How often `what` stands in `text`.
inline int count_of(const std::string& text, const std::string& what) {
  int count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

}  // namespace convoke
