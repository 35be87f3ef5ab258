// The catalogue against what the frontend does: each entry's wrong example has its id, the right one has no mistake,
// and every id is produced by a file of this folder or by an input made here.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "tests/errors/files.h"
#include "tests/errors/made.h"

namespace convoke {
namespace {

// A command, or a description in parentheses; made.h has inputs in their stead.
bool is_described(std::string_view example) { return example.starts_with("(") || example.starts_with("convoke "); }

Diagnostics diagnose_example(const CatalogueEntry& entry, std::string_view example) {
  const std::string text(example);
  if (entry.id.starts_with("E06")) return diagnose_recipe(text);
  const bool whole = text.starts_with("input ") || text.find("\ninput ") != std::string::npos;
  return diagnose_model(whole ? text : "input { height: 28 width: 28 channels: 1 }\n" + text);
}

}  // namespace

TEST_CASE("the catalogue is sorted, and its examples are what it says") {
  CHECK(std::ranges::is_sorted(catalogue(), {}, &CatalogueEntry::id));
  const std::vector<MadeInput> made = made_inputs();
  for (const CatalogueEntry& entry : catalogue()) {
    CAPTURE(entry.id);
    CHECK(!entry.title.empty());
    CHECK(!entry.explanation.empty());
    CHECK(is_described(entry.wrong) == is_described(entry.right));
    if (is_described(entry.wrong)) {
      CHECK(std::ranges::count(made, entry.id, &MadeInput::id) == 1);
      continue;
    }
    const Diagnostics wrong = diagnose_example(entry, entry.wrong), right = diagnose_example(entry, entry.right);
    CHECK_MESSAGE(ids_of(wrong).contains(std::string(entry.id)), wrong.text());
    CHECK_MESSAGE(right.empty(), right.text());
  }
}

TEST_CASE("every id of the catalogue is produced") {
  std::set<std::string> produced;
  for (const std::string& path : error_files()) produced.merge(ids_of(diagnose_file(path)));
  for (const MadeInput& input : made_inputs()) produced.merge(ids_of(input.diagnostics));
  std::set<std::string> known;
  for (const CatalogueEntry& entry : catalogue()) known.emplace(entry.id);
  CHECK(produced == known);
}

TEST_CASE("inputs that no text file can be are diagnosed exactly") {
  for (const MadeInput& input : made_inputs()) {
    CAPTURE(input.id);
    CHECK(input.diagnostics.text() == input.expected);
  }
}

TEST_CASE("explain") {
  const std::string text = explain("E0401").value();
  CHECK_MESSAGE(text.starts_with("E0401: value out of range\n\nSizes are positive"), text);
  CHECK(text.find("Wrong:\n\n    layer { name: \"conv1\"") != std::string::npos);
  CHECK(explain("e401").value() == text);
  CHECK(explain("401").value() == text);
  CHECK(explain("E0410").status().message() ==
        "there is no error E0410; the nearest is E0404 (two values for one thing)");
  CHECK(explain("what").status().message() == "there is no error what; ids are E0101 to E0602");
}

}  // namespace convoke
