// The files schedules/targets/*.textproto as they were when Convoke was built, sorted by name.
#pragma once

#include <span>

namespace convoke {

struct EmbeddedTarget {
  const char* name;
  const char* text;
};
std::span<const EmbeddedTarget> embedded_targets();

}  // namespace convoke
