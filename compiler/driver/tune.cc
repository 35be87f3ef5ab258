// convoke tune: measures schedules for the kernels of some models and keeps the winners in a database file.
#include "schedules/tuner/tune.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <regex>

#include "compiler/driver/model_arguments.h"
#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "runtime/base/file.h"
#include "runtime/train/interrupt.h"
#include "schedules/database/cpu.h"

namespace convoke {
namespace {

struct Arguments {
  std::vector<std::string> models;
  ModelArguments model;  // of each of them
  std::string budget = "20m", kernels, database;
  int threads = 1;
  bool train = false, again = false, json = false;
};

Result<double> parse_seconds(const std::string& text) {
  char* unit = nullptr;
  const double value = std::strtod(text.c_str(), &unit);
  const std::string_view name = unit;
  const double seconds = name == "h" ? 3600 : name == "m" ? 60 : name == "s" || name.empty() ? 1 : 0;
  if (unit == text.c_str() || seconds == 0 || !(value > 0) || value > 1e6) {
    return invalid_argument(fmt::format("--budget {}: expected a time such as 90s, 20m or 2h", text));
  }
  return value * seconds;
}

Result<std::regex> parse_pattern(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error& error) {
    return invalid_argument(fmt::format("--kernels \"{}\" is no regular expression: {}", text, error.what()));
  }
}

Result<Database> read_or_empty(const std::string& path) {
  return std::filesystem::exists(path) ? read_database(path) : Database{};
}

Result<std::vector<TuneKernel>> kernels_of(const Arguments& arguments, const std::string& database) {
  constexpr int64_t kTrainingBatch = 16;
  std::vector<TuneKernel> kernels;
  for (const std::string& model : arguments.models) {
    ModelArguments one = arguments.model;
    one.model = model;
    ASSIGN_OR_RETURN(ModelOptions options, resolve(one, arguments.train ? kTrainingBatch : 1));
    options.training = arguments.train;
    options.tuned = std::filesystem::exists(database) ? database : kNoTuned;
    ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(options));
    if (arguments.train) {
      add_kernels(planned.plan, CONVOKE_FORWARD, CONVOKE_UPDATE, kernels);
    } else {
      add_kernels(planned.plan, CONVOKE_INFER, CONVOKE_INFER, kernels);
    }
  }
  return kernels;
}

void show_progress(const TuneObserver::Progress& progress) {
  const auto minutes = static_cast<int>(std::max(progress.seconds_left, 0.0)) / 60;
  const auto seconds = static_cast<int>(std::max(progress.seconds_left, 0.0)) % 60;
  fmt::print(stderr, "\r\033[K[{}/{}] {:.50} {:.2f}x; all {:.2f}x, {}:{:02} left", progress.kernel + 1,
             progress.kernels, progress.name, progress.kernel_gain, progress.gain, minutes, seconds);
  std::fflush(stderr);
}

double gain(const TunedSchedule& schedule) {
  return static_cast<double>(schedule.default_ns) / static_cast<double>(schedule.ns);
}

Json kernel_json(const TuneKernel& kernel, const TunedSchedule& schedule) {
  return {{"name", kernel.name},
          {"share", kernel.share},
          {"template", schedule.template_name},
          {"knobs", to_string(schedule.knobs)},
          {"default_ms", static_cast<double>(schedule.default_ns) / 1e6},
          {"ms", static_cast<double>(schedule.ns) / 1e6},
          {"gain", gain(schedule)},
          {"max_error", schedule.max_error}};
}

Json report_json(const TuneReport& report, const TuneOptions& options, const std::string& database, Json kernels) {
  return {{"target", options.target.name},
          {"cpu", options.cpu},
          {"database", database},
          {"tuned", report.tuned},
          {"already", report.already},
          {"failed", report.failed},
          {"complete", report.complete},
          {"before_ms", report.before_ns / 1e6},
          {"after_ms", report.after_ns / 1e6},
          {"kernels", std::move(kernels)}};
}

void print_report(const TuneReport& report, const std::string& database) {
  fmt::print("{} kernels tuned, {} were already, {} failed; all kernels {:.3f} ms, before {:.3f} ms\n", report.tuned,
             report.already, report.failed, report.after_ns / 1e6, report.before_ns / 1e6);
  fmt::print("{}: {}\n", database,
             report.complete ? "all that matters is tuned" : "not all is tuned yet; the same command goes on");
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const double budget, parse_seconds(arguments.budget));
  ASSIGN_OR_RETURN(const std::regex pattern, parse_pattern(arguments.kernels));
  const std::string& target = arguments.model.target;
  TuneOptions options{.threads = arguments.threads, .budget_seconds = budget, .cpu = cpu_name()};
  ASSIGN_OR_RETURN(options.target, find_target(target.empty() ? "host" : target));
  if (!runs_here(options.target)) {
    return invalid_argument(fmt::format("tuning measures, and {} does not run on this CPU", options.target.name));
  }
  const std::string path =
      arguments.database.empty() ? "schedules/tuned/" + options.target.name + ".textproto" : arguments.database;
  ASSIGN_OR_RETURN(Database database, read_or_empty(path));
  RETURN_IF_ERROR(write_file_atomic(path, print(database)));  // before the work, not after it
  ASSIGN_OR_RETURN(std::vector<TuneKernel> kernels, kernels_of(arguments, path));
  ASSIGN_OR_RETURN(const TemporaryDirectory scratch, TemporaryDirectory::make());
  options.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  options.cache_directory = user_cache_directory();
  options.scratch_directory = scratch.path();
  options.again = arguments.again;
  if (!arguments.kernels.empty()) options.least_share = 0;

  const InterruptScope interrupt("\ninterrupted: what is proven is kept (again to leave at once)\n");
  const bool terminal = ::isatty(STDERR_FILENO);
  Json results = Json::array();
  const TuneObserver observer{
      .interrupted = [&] { return interrupt.requested(); },
      .progress =
          [&](const TuneObserver::Progress& progress) {
            if (terminal) show_progress(progress);
          },
      .failed =
          [&](const TuneKernel& kernel, const Status& why) {
            fmt::print(stderr, "{}{}: left out: {}\n", terminal ? "\r\033[K" : "", kernel.name, why.message());
          },
      .tuned =
          [&](const TuneKernel& kernel, const TunedSchedule& schedule) {
            if (terminal) fmt::print(stderr, "\r\033[K");
            const std::string knobs = to_string(schedule.knobs);
            fmt::print(stderr, "{}: {:.4f} ms, default {:.4f} ms, {:.2f}x: {} {}\n", kernel.name,
                       static_cast<double>(schedule.ns) / 1e6, static_cast<double>(schedule.default_ns) / 1e6,
                       gain(schedule), schedule.template_name, knobs);
            results.push_back(kernel_json(kernel, schedule));
            return write_file_atomic(path, print(database));
          }};
  ASSIGN_OR_RETURN(const TuneReport report, tune(std::move(kernels), pattern, options, observer, database));
  if (terminal) fmt::print(stderr, "\r\033[K");
  if (arguments.json) {
    print_json(report_json(report, options, path, std::move(results)));
  } else {
    print_report(report, path);
  }
  return interrupt.requested() ? kInterruptedExitCode : 0;
}

}  // namespace

VerbRun tune_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.add_option("models", arguments->models, "Model definitions whose kernels are tuned")->required();
  add_input_arguments(app, arguments->model);
  app.add_option("--batch", arguments->model.batch, "Samples of a call; default: 1, with --train 16")
      ->check(CLI::Range(1, 65536))
      ->type_name("N");
  app.add_flag("--train", arguments->train, "The kernels of training steps, not those of inference");
  app.add_option("--threads", arguments->threads, "Threads of a measured call; default: 1")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  app.add_option("--budget", arguments->budget, "How long to go on, e.g. 90s, 20m, 2h; default: 20m")
      ->type_name("TIME");
  app.add_option("--kernels", arguments->kernels, "Only calls of these names, however short")->type_name("REGEX");
  app.add_option("--tuned", arguments->database, "Database to extend; default: schedules/tuned/<target>.textproto")
      ->type_name("FILE");
  app.add_flag("--again", arguments->again, "Kernels that are tuned for this CPU already, too");
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
