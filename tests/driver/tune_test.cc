// convoke tune on a database of its own.
#include <doctest/doctest.h>

#include "runtime/base/file.h"
#include "tests/driver/command.h"

namespace convoke {
namespace {

using nlohmann::json;

const std::string kLeNet = "model_defs/models/lenet.textproto";

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("tune: kernels into a database, which compile uses; then nothing is left to do") {
  const std::string folder = empty_folder("tune"), database = folder + "/tuned.textproto";
  const std::string tune = "tune " + kLeNet + " --kernels '^fc3$' --budget 10s --tuned " + database;
  const json report = run_json(tune);
  REQUIRE(report["kernels"].size() == 1);
  const json& kernel = report["kernels"][0];
  CHECK(kernel["name"] == "fc3");
  CHECK(kernel["ms"] > 0);
  CHECK(kernel["max_error"] < 1e-4);
  CHECK(contains(read_file(database).value(), "batch: \"1\""));

  const json compiled =
      run_json("compile " + kLeNet + " --batch 1 --inference-only --tuned " + database + " --out " + folder);
  CHECK(compiled["schedules"]["exact"] == 1);
  const json many = run_json("compile " + kLeNet + " --inference-only --tuned " + database + " --out " + folder);
  CHECK(many["schedules"]["near"] == 1);

  const json again = run_json(tune);
  CHECK(again["tuned"] == 0);
  CHECK(again["already"] == 1);
  CHECK(again["complete"] == true);
}

TEST_CASE("tune: mistakes") {
  const std::string folder = empty_folder("tune_mistakes"), database = " --tuned " + folder + "/tuned.textproto";
  const auto error = [&](const std::string& arguments, int exit_code) {
    const Outcome outcome = run_convoke("tune " + arguments + database);
    CHECK(outcome.exit_code == exit_code);
    CHECK(outcome.output.empty());
    return outcome.errors;
  };
  CHECK(contains(error("", 2), "models is required"));
  CHECK(contains(error("nowhere.textproto", 1), "nowhere.textproto"));
  CHECK(contains(error(kLeNet + " --budget soon", 1), "--budget soon: expected a time such as 90s, 20m or 2h"));
  CHECK(contains(error(kLeNet + " --kernels '('", 1), "no regular expression"));
  CHECK(contains(error(kLeNet + " --target arm-64", 1), "arm-64 does not run on this CPU"));
  const Outcome unwritable = run_convoke("tune " + kLeNet + " --tuned /proc/nowhere/tuned.textproto");
  CHECK(unwritable.exit_code == 1);
  CHECK(contains(unwritable.errors, "/proc/nowhere/tuned.textproto"));
}

}  // namespace
}  // namespace convoke
