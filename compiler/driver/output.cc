#include "compiler/driver/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace convoke {

void print_json(const Json& json) { fmt::print("{}\n", json.dump(2)); }

std::string bytes_text(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string count_text(int64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string seconds_text(double seconds) { return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 2 : 1); }

std::function<void(int, int, const std::string&)> compile_progress() {
  if (!::isatty(STDERR_FILENO)) return {};
  return [](int done, int total, const std::string& kernel) {
    fmt::print(stderr, "\r\033[K[{}/{}] {}", done, total, kernel.substr(0, 60));
    if (done == total) fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
  };
}

}  // namespace convoke
