// Jobs in children: results, errors and deaths come back as they should.
#include "compiler/codegen/child.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <map>

using namespace convoke;

TEST_CASE("each job's result arrives once, whatever the others do") {
  std::map<int, Result<std::string>> results;
  run_in_children(
      12, 3,
      [](int job) -> Result<std::string> {
        if (job == 4) std::abort();
        if (job == 5) return data_loss("job 5");
        if (job == 6) _Exit(0);
        return std::string(static_cast<size_t>(job) * 100000, 'x');
      },
      [&](int job, Result<std::string> result) { REQUIRE(results.emplace(job, std::move(result)).second); });
  REQUIRE(results.size() == 12);
  for (const auto& [job, result] : results) {
    CAPTURE(job);
    REQUIRE(result.ok() == (job < 4 || job > 6));
    if (result.ok()) CHECK(result.value().size() == static_cast<size_t>(job) * 100000);
  }
  CHECK(results.at(4).status().message() == "the compiling process ended with Aborted");
  CHECK(results.at(5).status().code() == Code::kDataLoss);
  CHECK(results.at(5).status().message() == "job 5");
  CHECK(results.at(6).status().message() == "the compiling process ended early");
}

TEST_CASE("the last words of a child are kept") {
  const Result<std::string> result = run_in_child([]() -> Result<std::string> {
    std::cerr << "Assertion `x > 0' failed\nPLEASE submit a bug report\n";
    std::abort();
  });
  CHECK(result.status().message() == "the compiling process ended with Aborted: Assertion `x > 0' failed");
}
