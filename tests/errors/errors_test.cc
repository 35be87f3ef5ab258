// Every file of mistakes against its diagnostics, word for word; every kind of mistake of the catalogue has one.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "runtime/base/file.h"
#include "tests/errors/files.h"

namespace convoke {
namespace {

std::string expected_path(const std::string& path) { return path.substr(0, path.rfind('.')) + ".expected"; }

// The diagnostics of two readings must be the same, so this is all that a file's outcome depends on.
std::string outcome(const std::string& path) {
  const std::string text = diagnose_file(path).text();
  CHECK(text == diagnose_file(path).text());
  return text;
}

}  // namespace

TEST_CASE("files of mistakes are diagnosed exactly as expected") {
  const bool update = std::getenv("CONVOKE_UPDATE") != nullptr;
  const std::vector<std::string> files = error_files();
  CHECK(files.size() >= 45);
  for (const std::string& path : files) {
    const std::string found = outcome(path);
    CHECK_MESSAGE(!found.empty(), path << " has no mistake");
    if (update) std::ofstream(expected_path(path)) << found;
    const Result<std::string> expected = read_file(expected_path(path));
    REQUIRE_MESSAGE(expected.ok(), expected.status().message() << "; CONVOKE_UPDATE=1 writes it");
    const bool as_expected = *expected == found;
    CHECK_MESSAGE(as_expected, path << "\n"
                                    << difference(*expected, found)
                                    << "If this is better, run with CONVOKE_UPDATE=1 and read the changes.");
  }
}

}  // namespace convoke
