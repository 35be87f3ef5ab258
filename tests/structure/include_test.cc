// Who may include what, read from the files: the folders form a DAG, Halide and LLVM stay where they belong, runtime/
// stands on nothing of the compiler. A new folder gets a row in kFolders.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace convoke {
namespace {

struct Folder {
  const char* name;
  const char* stands_on;  // folders in rows above
};

// base ← ir ← ops ← {passes, autodiff, kernels} ← {templates, database} ← codegen ← tuner ← driver. Kernels and
// codegen know the core by its plain structs (the plan, the ABI); the frontend turns recipes into the trainer's plain
// structs.
constexpr Folder kFolders[] = {
    {"runtime/base", ""},
    {"runtime/core", ""},
    {"runtime/data", "runtime/base runtime/core"},
    {"runtime/io", "runtime/base runtime/core"},
    {"runtime/core/run", "runtime/core runtime/io"},
    {"runtime/train", "runtime/base runtime/core runtime/data runtime/io"},
    {"runtime/examples", ""},
    {"model_defs/schema", ""},
    {"compiler/ir", "runtime/base"},
    {"compiler/ops", "runtime/base runtime/core compiler/ir"},
    {"compiler/ops/lower", "compiler/ops"},
    {"compiler/frontend", "runtime/base runtime/train model_defs/schema compiler/ir compiler/ops"},
    {"compiler/passes", "runtime/base compiler/ir compiler/ops"},
    {"compiler/autodiff", "runtime/base compiler/ir compiler/ops"},
    {"compiler/kernels", "runtime/base runtime/core compiler/ir compiler/ops"},
    {"schedules/targets", "runtime/base"},
    {"schedules/templates",
     "runtime/base compiler/ir compiler/ops compiler/ops/lower compiler/kernels schedules/targets"},
    {"schedules/database", "runtime/base compiler/kernels schedules/targets schedules/templates"},
    {"compiler/codegen",
     "runtime/base runtime/core compiler/ir compiler/kernels schedules/targets schedules/templates"},
    {"compiler/codegen/start", ""},
    {"schedules/tuner",
     "runtime/base runtime/core runtime/train compiler/ir compiler/ops compiler/kernels compiler/codegen "
     "schedules/targets schedules/database"},
    {"compiler/driver/onednn", "runtime/base compiler/ir compiler/ops compiler/kernels"},
    {"compiler/driver",
     "runtime/base runtime/core runtime/data runtime/io runtime/train model_defs/schema compiler/ir compiler/ops "
     "compiler/frontend compiler/passes compiler/autodiff compiler/kernels schedules/targets schedules/database "
     "compiler/codegen schedules/tuner compiler/driver/onednn"},
};

struct LibraryRule {
  const char* prefix;   // of an include
  const char* folders;  // that may have it; a folder stands for all below it
};

constexpr LibraryRule kLibraries[] = {
    {"Halide", "compiler/ops/lower schedules/templates compiler/codegen tests bench"},
    {"llvm/", "compiler/codegen"},
    {"lld/", "compiler/codegen"},
    {"google/protobuf", "compiler/frontend schedules/targets schedules/database tests"},
    {"CLI/", "compiler/driver"},
    {"oneapi/", "compiler/driver/onednn"},
    {"doctest/", "tests"},
    {"benchmark/", "bench"},
};

constexpr const char* kRoots[] = {"compiler", "runtime", "schedules", "model_defs", "bench", "tests"};

struct Include {
  std::string file, folder;
  std::string what;
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// The rest of an #include line behind the keyword, or nothing.
std::string_view include_operand(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (!line.starts_with('#')) return {};
  line.remove_prefix(std::min(line.find_first_not_of(" \t", 1), line.size()));
  if (!line.starts_with("include")) return {};
  line.remove_prefix(std::min(line.find_first_of("\"<"), line.size()));
  return line;
}

void add_includes(const std::filesystem::path& path, std::vector<Include>& includes) {
  const Result<std::string> text = read_file(path.string());
  REQUIRE_MESSAGE(text.ok(), text.status().message());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::string_view operand = include_operand(line);
    const size_t end = operand.find_first_of("\">", 1);
    if (operand.empty() || end == std::string_view::npos) continue;
    includes.push_back({path.string(), path.parent_path().string(), std::string(operand.substr(1, end - 1))});
  }
}

std::vector<Include> all_includes() {
  std::vector<Include> includes;
  for (const char* root : kRoots) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      const std::string extension = entry.path().extension().string();
      for (const char* known : {".cc", ".h", ".c", ".in", ".inc"}) {
        if (extension == known) add_includes(entry.path(), includes);
      }
    }
  }
  return includes;
}

bool is_below(const std::string& folder, const std::string& of) { return folder == of || folder.starts_with(of + "/"); }

TEST_CASE("the table of folders is a DAG") {
  std::vector<std::string> above;
  for (const Folder& folder : kFolders) {
    INFO(folder.name);
    for (const std::string& other : words_of(folder.stands_on)) {
      INFO(other);
      CHECK(std::find(above.begin(), above.end(), other) != above.end());
    }
    above.emplace_back(folder.name);
  }
}

TEST_CASE("a folder includes what it stands on alone") {
  std::map<std::string, std::vector<std::string>> stands_on;
  for (const Folder& folder : kFolders) stands_on[folder.name] = words_of(folder.stands_on);
  for (const Include& include : all_includes()) {
    if (is_below(include.folder, "tests") || is_below(include.folder, "bench")) continue;
    INFO(include.file, " includes ", include.what);
    REQUIRE(stands_on.contains(include.folder));
    const std::string target = std::filesystem::path(include.what).parent_path().string();
    const bool ours =
        std::any_of(std::begin(kRoots), std::end(kRoots), [&](const char* root) { return is_below(target, root); });
    if (!ours) continue;
    const std::vector<std::string>& allowed = stands_on[include.folder];
    CHECK((target == include.folder || std::find(allowed.begin(), allowed.end(), target) != allowed.end()));
  }
}

TEST_CASE("libraries are included where they belong alone") {
  for (const Include& include : all_includes()) {
    for (const LibraryRule& rule : kLibraries) {
      if (!include.what.starts_with(rule.prefix)) continue;
      INFO(include.file, " includes ", include.what);
      const std::vector<std::string> folders = words_of(rule.folders);
      CHECK(std::any_of(folders.begin(), folders.end(),
                        [&](const std::string& folder) { return is_below(include.folder, folder); }));
    }
  }
}

// Their symbols clash.
TEST_CASE("no file includes both Halide and LLVM") {
  std::map<std::string, int> libraries;
  for (const Include& include : all_includes()) {
    if (include.what.starts_with("Halide")) libraries[include.file] |= 1;
    if (include.what.starts_with("llvm/") || include.what.starts_with("lld/")) libraries[include.file] |= 2;
  }
  for (const auto& [file, which] : libraries) CHECK_MESSAGE(which != 3, file);
}

TEST_CASE("environment variables are read in the driver alone") {
  for (const char* root : {"compiler", "runtime", "schedules"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file() || is_below(entry.path().parent_path().string(), "compiler/driver")) continue;
      INFO(entry.path().string());
      CHECK(read_file(entry.path().string()).value().find("getenv(") == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace convoke
