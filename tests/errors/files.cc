#include "tests/errors/files.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "compiler/frontend/recipe.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

ImportOptions options_of(const std::string& text) {
  std::istringstream first(text.substr(0, text.find('\n')));
  ImportOptions options;
  std::string word;
  char times = 0;
  if (!(first >> word >> word) || word != "options:") return options;
  while (first >> word) {
    if (word == "--input") {
      first >> options.input_channels >> times >> options.input_height >> times >> options.input_width;
    } else {
      REQUIRE_MESSAGE(word == "--classes", word);
      first >> options.classes;
    }
  }
  return options;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::vector<std::string> error_files() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator("tests/errors")) {
    if (entry.path().extension() == ".textproto") paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

Diagnostics diagnose_file(const std::string& path) {
  if (std::filesystem::path(path).stem().string().starts_with("recipe_")) return read_recipe(path).diagnostics;
  return import_model(path, options_of(read_file(path).value())).diagnostics;
}

Diagnostics diagnose_model(const std::string& bytes, const ImportOptions& options) {
  return import_model_bytes(bytes, "model.textproto", options).diagnostics;
}

Diagnostics diagnose_recipe(const std::string& bytes) {
  return read_recipe_bytes(bytes, "recipe.textproto").diagnostics;
}

std::set<std::string> ids_of(const Diagnostics& diagnostics) {
  std::set<std::string> ids;
  for (const Diagnostic& diagnostic : diagnostics.all()) ids.emplace(diagnostic.id);
  return ids;
}

std::string difference(const std::string& expected, const std::string& found) {
  std::vector<std::string> a = lines_of(expected), b = lines_of(found);
  const auto [same_a, same_b] = std::ranges::mismatch(a, b);
  a.erase(a.begin(), same_a);
  b.erase(b.begin(), same_b);
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.pop_back();
    b.pop_back();
  }
  std::string text;
  for (const std::string& line : a) text += "- " + line + "\n";
  for (const std::string& line : b) text += "+ " + line + "\n";
  return text;
}

}  // namespace convoke
