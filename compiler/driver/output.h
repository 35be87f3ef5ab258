// What verbs print: sizes for people, JSON for programs, a line of progress.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace convoke {

using Json = nlohmann::ordered_json;  // members stay in the order in which they are documented

void print_json(const Json& json);  // on stdout

std::string bytes_text(int64_t bytes);     // "61.2 KB", powers of 1000
std::string count_text(int64_t count);     // "11,689,512"
std::string seconds_text(double seconds);  // "0.41 s"

// For CodegenOptions::progress: a line on stderr that is redrawn, on a terminal alone.
std::function<void(int done, int total, const std::string& kernel)> compile_progress();

}  // namespace convoke
