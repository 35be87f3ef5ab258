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
  CHECK(many["schedules"]["exact"] == 0);  // of another class of batches

  CHECK(run_json("schedules show " + database)["schedules"][0]["n"] == 1);
  CHECK(contains(run_convoke("schedules show " + database).output, "linear f32[n,84] f32[10,84] -> f32[n,10]"));
  CHECK(run_json("schedules verify " + database)["verified"] == 1);

  const json again = run_json(tune);
  CHECK(again["tuned"] == 0);
  CHECK(again["already"] == 1);
  CHECK(again["complete"] == true);
}

TEST_CASE("tune: an interrupt leaves a whole database") {
  const std::string folder = empty_folder("tune_interrupted"), database = folder + "/tuned.textproto";
  const Outcome outcome = run("timeout --foreground --preserve-status -s INT 2 " CONVOKE " tune " + kLeNet +
                              " --train --tuned " + database);
  CHECK(outcome.exit_code == 130);
  CHECK(contains(outcome.output, "not all is tuned yet; the same command goes on"));
  CHECK(run_convoke("schedules show " + database).exit_code == 0);
}

TEST_CASE("schedules: diff and merge, and what no longer holds") {
  const std::string folder = empty_folder("schedules"), a = folder + "/a.textproto", b = folder + "/b.textproto";
  const auto entry = [](const std::string& knobs, int ns) {
    return "schedule { kernel: \"graph kernel\" kernel: \"%a0 = input() : f32[n,8]\" kernel: \"%v0 = relu(%a0) : "
           "f32[n,8]\" kernel: \"output %v0\" batch: \"1\" cpu: \"x\" template: \"pointwise\" knobs: \"" +
           knobs + "\" n: 1 threads: 1 ns: " + std::to_string(ns) + " fma_gflops: 100 }\n";
  };
  REQUIRE(write_file_atomic(a, entry("", 50)).ok());
  REQUIRE(write_file_atomic(b, entry("lanes=7", 40)).ok());
  const json difference = run_json("schedules diff " + a + " " + b)["differences"][0];
  CHECK(difference["before"]["ms"] == 50e-6);
  CHECK(difference["after"]["knobs"] == "lanes=7");
  CHECK(contains(run_convoke("schedules diff " + a + " " + b).output, "  + 0.0000 ms of 1  pointwise lanes=7\n1 diff"));

  const std::string merged = folder + "/merged.textproto";
  CHECK(run_json("schedules merge " + merged + " " + b + " " + a)["changed"] == 1);
  CHECK(run_json("schedules show " + merged)["schedules"][0]["knobs"] == "lanes=7");
  CHECK(run_convoke("schedules verify " + a).exit_code == 0);
  const Outcome stale = run_convoke("schedules verify " + merged);
  CHECK(stale.exit_code == 1);
  CHECK(contains(stale.errors,
                 "1 of 1 schedules do not hold:\n  relu f32[n,8] -> f32[n,8]  batch 1  pointwise lanes=7: "
                 "there is no such schedule any more"));

  CHECK(run_convoke("schedules").exit_code == 2);
  CHECK(run_convoke("schedules diff " + a).exit_code == 2);
  CHECK(contains(run_convoke("schedules show /nowhere").errors, "convoke schedules: /nowhere: "));
  CHECK(run_convoke("schedules show").exit_code == 0);
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
