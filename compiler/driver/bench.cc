// convoke bench: the median time of a call, and where it goes by kernel.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>

#include "compiler/driver/model_arguments.h"
#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "compiler/driver/workload.h"
#include "runtime/base/file.h"
#include "runtime/core/plan.h"
#include "runtime/io/table.h"
#include "runtime/train/library.h"

namespace convoke {
namespace {

struct Arguments {
  ModelArguments model;
  int32_t threads = 0;
  bool train = false, json = false;
  double seconds = 2;
};

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct RowTime {
  const convoke_row* row;
  double ms;  // a call of it
};

struct Measured {
  double median_ms, least_ms;
  int64_t calls;
  std::vector<RowTime> rows;  // in order; those that ran
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Medians over `steps` steps, apart from the timing of whole calls, which this would disturb.
Result<std::vector<RowTime>> profile(const Library& library, Workload& workload, int64_t steps) {
  const convoke_library& table = library.table();
  std::vector<std::vector<double>> times(static_cast<size_t>(library.model().row_count));
  std::vector<uint64_t> ns(times.size()), calls(times.size());
  for (int64_t i = 0; i < steps; ++i) {
    table.profile(workload.context(), 1);  // clears
    RETURN_IF_ERROR(workload.step());
    table.profile_read(workload.context(), ns.data(), calls.data());
    for (size_t r = 0; r < times.size(); ++r) {
      if (calls[r] > 0) times[r].push_back(static_cast<double>(ns[r]) / 1e6);
    }
  }
  table.profile(workload.context(), 0);
  std::vector<RowTime> rows;
  for (size_t r = 0; r < times.size(); ++r) {
    if (!times[r].empty()) rows.push_back({&library.model().rows[r], median(times[r])});
  }
  return rows;
}

Result<Measured> measure(const Library& library, Workload& workload, double seconds) {
  constexpr int kWarmUps = 3;
  constexpr size_t kFewestCalls = 5;
  for (int i = 0; i < kWarmUps; ++i) RETURN_IF_ERROR(workload.step());
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < kFewestCalls || milliseconds_since(begin) < 1000 * seconds) {
    const auto start = Clock::now();
    RETURN_IF_ERROR(workload.step());
    times.push_back(milliseconds_since(start));
  }
  Measured measured{median(times), std::ranges::min(times), static_cast<int64_t>(times.size()), {}};

  ASSIGN_OR_RETURN(measured.rows, profile(library, workload, std::clamp<int64_t>(measured.calls / 4, 3, 1000)));
  return measured;
}

double total_ms(const std::vector<RowTime>& rows) {
  return std::accumulate(rows.begin(), rows.end(), 0.0, [](double sum, const RowTime& row) { return sum + row.ms; });
}

double giga_per_second(int64_t per_sample, int64_t per_call, int64_t n, double ms) {
  return static_cast<double>(per_sample * n + per_call) / ms / 1e6;
}

Json measured_json(const Measured& measured, const Library& library, const Arguments& arguments, int64_t n,
                   int32_t threads) {
  Json kernels = Json::array();
  const double total = total_ms(measured.rows);
  for (const auto& [row, ms] : measured.rows) {
    kernels.push_back({{"program", core::kProgramNames[row->program]},
                       {"name", row->name},
                       {"schedule", row->schedule},
                       {"ms", ms},
                       {"share", ms / total},
                       {"gflops", giga_per_second(row->flops_per_sample, row->flops_per_call, n, ms)},
                       {"gigabytes_per_second", giga_per_second(row->bytes_per_sample, row->bytes_per_call, n, ms)}});
  }
  Json json = {{"model", library.model().name},
               {"target", library.model().target},
               {"batch", n},
               {"threads", threads},
               {"training", arguments.train},
               {"calls", measured.calls},
               {"median_ms", measured.median_ms},
               {"min_ms", measured.least_ms}};
  json["images_per_second"] = 1000 * static_cast<double>(n) / measured.median_ms;
  json["kernels"] = std::move(kernels);
  return json;
}

void print_measured(const Measured& measured, const Library& library, const Arguments& arguments, int64_t n,
                    int32_t threads) {
  std::vector<TableRow> rows = {{"", "kernel", "schedule", "ms", "share", "GFLOP/s", "GB/s"}, {}};
  const double total = total_ms(measured.rows);
  for (const auto& [row, ms] : measured.rows) {
    rows.push_back({core::kProgramNames[row->program], row->name, row->schedule, fmt::format("{:.4f}", ms),
                    fmt::format("{:.1f} %", 100 * ms / total),
                    fmt::format("{:.1f}", giga_per_second(row->flops_per_sample, row->flops_per_call, n, ms)),
                    fmt::format("{:.1f}", giga_per_second(row->bytes_per_sample, row->bytes_per_call, n, ms))});
  }
  fmt::print("{}\n", format_table("lllrrrr", rows));
  fmt::print("{} for {}, batch {}, {} threads, {}: median {:.4f} ms, least {:.4f} ms of {} calls; {:.0f} images/s\n",
             library.model().name, library.model().target, n, threads, arguments.train ? "training step" : "inference",
             measured.median_ms, measured.least_ms, measured.calls, 1000 * static_cast<double>(n) / measured.median_ms);
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(ModelOptions options, resolve(arguments.model, 1));
  options.training = arguments.train;
  ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::make());
  ASSIGN_OR_RETURN(const CompiledLibrary compiled, compile_model(options, {.output_directory = directory.path(),
                                                                           .cache_directory = user_cache_directory(),
                                                                           .progress = compile_progress()}));
  ASSIGN_OR_RETURN(const Library library, Library::open(compiled.library_path));
  const auto n = static_cast<int32_t>(options.batch);
  const int32_t threads = resolve_threads(arguments.threads);
  ASSIGN_OR_RETURN(Workload workload, Workload::make(library, {n, threads, arguments.train}));
  ASSIGN_OR_RETURN(const Measured measured, measure(library, workload, arguments.seconds));
  if (arguments.json) {
    print_json(measured_json(measured, library, arguments, n, threads));
  } else {
    print_measured(measured, library, arguments, n, threads);
  }
  return 0;
}

}  // namespace

VerbRun bench_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  add_compile_arguments(app, arguments->model);
  app.add_option("--threads", arguments->threads, "Threads; default: one a core")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  app.add_flag("--train", arguments->train, "Time training steps: forward, loss, backward, update");
  app.add_option("--seconds", arguments->seconds, "How long to measure")->check(CLI::Range(0.01, 3600.0));
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
