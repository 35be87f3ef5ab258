#include "schedules/database/cpu.h"

#include <sstream>
#include <string_view>

#include "runtime/base/file.h"

namespace convoke {
namespace {

struct Field {
  std::string_view name, label;
};
// Vendors' names may be as vague as "AMD EPYC"; those of ARM cores are numbers.
constexpr Field kFields[] = {{"model name", ""},
                             {"cpu family", "family "},
                             {"model", "model "},
                             {"CPU implementer", "implementer "},
                             {"CPU part", "part "}};

// The value of the first line "<name> : <value>"; empty when there is none.
std::string value_of(const std::string& cpuinfo, std::string_view name) {
  std::istringstream lines(cpuinfo);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1) != name) continue;
    const size_t begin = line.find_first_not_of(' ', colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

std::string cpu_name(const std::string& cpuinfo) {
  std::string text;
  for (const Field& field : kFields) {
    const std::string value = value_of(cpuinfo, field.name);
    if (!value.empty()) text += (text.empty() ? "" : ", ") + std::string(field.label) + value;
  }
  return text.empty() ? "unknown" : text;
}

std::string cpu_name() {
  constexpr size_t kMostBytes = 1 << 16;
  const auto cpuinfo = read_file_start("/proc/cpuinfo", kMostBytes);
  return cpu_name(cpuinfo.ok() ? *cpuinfo : "");
}

}  // namespace convoke
