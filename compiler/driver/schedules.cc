// convoke schedules: what databases of tuned schedules hold, how they differ, and whether they still hold.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "compiler/driver/compile_model.h"
#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "runtime/base/file.h"
#include "runtime/io/table.h"
#include "schedules/database/database.h"
#include "schedules/database/lookup.h"
#include "schedules/tuner/tune.h"

namespace convoke {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::string target;
  bool json = false;
};

double milliseconds(int64_t ns) { return static_cast<double>(ns) / 1e6; }

std::string schedule_text(const TunedSchedule& schedule) {
  const std::string knobs = to_string(schedule.knobs);
  return schedule.template_name + (knobs.empty() ? "" : " ") + knobs;
}

Json schedule_json(const TunedSchedule& schedule) {
  return {{"kernel", describe(schedule)},
          {"batch", to_string(schedule.batch)},
          {"cpu", schedule.cpu},
          {"template", schedule.template_name},
          {"knobs", to_string(schedule.knobs)},
          {"n", schedule.n},
          {"threads", schedule.threads},
          {"ms", milliseconds(schedule.ns)},
          {"default_ms", milliseconds(schedule.default_ns)},
          {"spread", schedule.spread},
          {"fma_gflops", schedule.fma_gflops},
          {"max_error", schedule.max_error},
          {"date", schedule.date},
          {"inference_only", schedule.inference_only}};
}

// The target that a database is for: as said, else as its file is named, else the host's.
Result<TargetSpec> target_of(const Arguments& arguments) {
  if (!arguments.target.empty()) return find_target(arguments.target);
  if (!arguments.files.empty()) {
    const std::string stem = std::filesystem::path(arguments.files[0]).stem();
    const std::vector<std::string> names = target_names();
    if (std::ranges::find(names, stem) != names.end()) return find_target(stem);
  }
  return find_target("host");
}

// The file's, else the one that is built in.
Result<Database> open_database(const Arguments& arguments) {
  if (!arguments.files.empty()) return read_database(arguments.files[0]);
  ASSIGN_OR_RETURN(const TargetSpec target, target_of(arguments));
  return shipped_database(target.name);
}

Result<ExitCode> show(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const Database database, open_database(arguments));
  if (arguments.json) {
    Json list = Json::array();
    for (const TunedSchedule& schedule : database.schedules) list.push_back(schedule_json(schedule));
    print_json({{"schedules", std::move(list)}});
    return 0;
  }
  std::vector<TableRow> rows = {{"", "kernel", "batch", "schedule", "ms", "gain", "error", "n", "CPU"}, {}};
  for (const TunedSchedule& schedule : database.schedules) {
    const double gain = static_cast<double>(schedule.default_ns) / static_cast<double>(schedule.ns);
    rows.push_back({"", describe(schedule), to_string(schedule.batch), schedule_text(schedule),
                    fmt::format("{:.4f}", milliseconds(schedule.ns)), fmt::format("{:.2f}", gain),
                    fmt::format("{:.0e}", schedule.max_error), std::to_string(schedule.n), schedule.cpu});
  }
  fmt::print("{}{} schedules\n", format_table("llllrrrrl", rows), database.schedules.size());
  return 0;
}

Result<ExitCode> diff(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const Database before, read_database(arguments.files[0]));
  ASSIGN_OR_RETURN(const Database after, read_database(arguments.files[1]));
  const std::vector<Difference> found = differences(before, after);
  if (arguments.json) {
    const auto side = [](const TunedSchedule* schedule) { return schedule ? schedule_json(*schedule) : Json(); };
    Json list = Json::array();
    for (const auto& [old, now] : found) list.push_back({{"before", side(old)}, {"after", side(now)}});
    print_json({{"differences", std::move(list)}});
    return 0;
  }
  for (const auto& [old, now] : found) {
    const TunedSchedule& either = old ? *old : *now;
    fmt::print("{}  batch {}  {}\n", describe(either), to_string(either.batch), either.cpu);
    if (old) fmt::print("  - {:.4f} ms of {}  {}\n", milliseconds(old->ns), old->n, schedule_text(*old));
    if (now) fmt::print("  + {:.4f} ms of {}  {}\n", milliseconds(now->ns), now->n, schedule_text(*now));
  }
  fmt::print("{} differences\n", found.size());
  return 0;
}

Result<ExitCode> merge_files(const Arguments& arguments) {
  const std::string& path = arguments.files[0];
  Database merged;
  if (std::filesystem::exists(path)) {
    ASSIGN_OR_RETURN(merged, read_database(path));
  }
  const Database before = merged;
  for (size_t i = 1; i < arguments.files.size(); ++i) {
    ASSIGN_OR_RETURN(const Database other, read_database(arguments.files[i]));
    merge(merged, other);
  }
  RETURN_IF_ERROR(write_file_atomic(path, print(merged)));
  const size_t changed = differences(before, merged).size();
  if (arguments.json) {
    print_json({{"database", path}, {"schedules", merged.schedules.size()}, {"changed", changed}});
  } else {
    fmt::print("{}: {} schedules, {} of them new or faster\n", path, merged.schedules.size(), changed);
  }
  return 0;
}

// The error against the reference; a Status when it is too large, or the schedule does not run.
Result<double> check(const TunedSchedule& schedule, const TuneOptions& options) {
  const Kernel kernel = parse_kernel(schedule.kernel).value();
  if (!is_valid(kernel, schedule.batch, options.target, schedule.template_name, schedule.knobs)) {
    return invalid_argument("there is no such schedule any more");
  }
  const Instance instance = make_instance(kernel, options.target, schedule.template_name, schedule.knobs);
  ASSIGN_OR_RETURN(const double error, verify({kernel, instance}, schedule.n, options));
  if (!(error <= kMostError)) {
    return invalid_argument(fmt::format("off by {:.1e} of its largest element, allowed are {:.0e}", error, kMostError));
  }
  return error;
}

Result<ExitCode> verify_database(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const Database database, open_database(arguments));
  TuneOptions options{.cache_directory = user_cache_directory()};
  ASSIGN_OR_RETURN(options.target, target_of(arguments));
  if (!runs_here(options.target)) {
    return invalid_argument(
        fmt::format("verifying runs kernels, and {} does not run on this CPU", options.target.name));
  }
  const auto progress = compile_progress();
  const auto count = static_cast<int>(database.schedules.size());
  Json list = Json::array();
  std::string failures;
  int failed = 0;
  double largest = 0;
  for (int i = 0; i < count; ++i) {
    const TunedSchedule& schedule = database.schedules[static_cast<size_t>(i)];
    ASSIGN_OR_RETURN(const TemporaryDirectory scratch, TemporaryDirectory::make());
    options.scratch_directory = scratch.path();
    const Result<double> error = check(schedule, options);
    if (progress) progress(i + 1, count, describe(schedule));
    Json json = schedule_json(schedule);
    json["error"] = error.ok() ? Json(*error) : Json();
    json["problem"] = error.ok() ? Json() : Json(error.status().message());
    list.push_back(std::move(json));
    if (error.ok()) {
      largest = std::max(largest, *error);
      continue;
    }
    ++failed;
    failures += fmt::format("\n  {}  batch {}  {}: {}", describe(schedule), to_string(schedule.batch),
                            schedule_text(schedule), error.status().message());
  }
  if (arguments.json) print_json({{"verified", count - failed}, {"failed", failed}, {"schedules", std::move(list)}});
  if (failed > 0) return failed_precondition(fmt::format("{} of {} schedules do not hold:{}", failed, count, failures));
  if (!arguments.json) fmt::print("{} schedules verified, the largest error is {:.1e}\n", count, largest);
  return 0;
}

using Run = Result<ExitCode> (*)(const Arguments&);

struct Action {
  const char *name, *description, *files;
  size_t fewest, most;
  Run run;
};

constexpr size_t kAny = 1 << 16;
constexpr Action kActions[] = {
    {"show", "Print a database: a file, or the one that is built in", "FILE", 0, 1, show},
    {"diff", "Print what differs from the first file to the second", "BEFORE AFTER", 2, 2, diff},
    {"merge", "Take schedules that are new or faster into the first file", "INTO FROM…", 2, kAny, merge_files},
    {"verify", "Compile and run every schedule, and compare with the reference", "FILE", 0, 1, verify_database},
};

}  // namespace

VerbRun schedules_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(1);
  for (const Action& action : kActions) {
    CLI::App* verb = app.add_subcommand(action.name, action.description);
    CLI::Option* files = verb->add_option("files", arguments->files, action.files);
    files->expected(static_cast<int>(action.fewest), static_cast<int>(action.most));
    if (action.fewest > 0) files->required();
    if (action.fewest == 0) {
      verb->add_option("--target", arguments->target, "Target; default: by the file's name, else host")
          ->type_name("NAME");
    }
    verb->add_flag("--json", arguments->json, "Report as JSON");
  }
  return [arguments, &app]() -> Result<ExitCode> {
    for (const Action& action : kActions) {
      if (app.got_subcommand(action.name)) return action.run(*arguments);
    }
    return 0;
  };
}

}  // namespace convoke
