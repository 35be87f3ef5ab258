// The files schedules/tuned/*.textproto as they were when Convoke was built, sorted by name.
#pragma once

#include <span>

namespace convoke {

struct EmbeddedDatabase {
  const char* target;
  const char* text;
};
std::span<const EmbeddedDatabase> embedded_databases();

}  // namespace convoke
