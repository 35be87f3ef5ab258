// convoke bench: the median time of a call, and where it goes by kernel.
#include <fmt/format.h>

#include <memory>

#include "compiler/driver/model_arguments.h"
#include "compiler/driver/output.h"
#include "compiler/driver/profile.h"
#include "compiler/driver/verb.h"
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

Json report_json(const Profile& profile, const Library& library, const WorkloadOptions& work) {
  const double total_ms = total(profile.rows).ms;
  Json kernels = Json::array();
  for (const auto& [r, spent] : profile.rows) {
    const convoke_row& row = library.model().rows[r];
    Json kernel = {{"program", core::kProgramNames[row.program]}, {"name", row.name}, {"schedule", row.schedule}};
    add_spent(spent, total_ms, profile.machine, kernel);
    kernels.push_back(std::move(kernel));
  }
  return {{"model", library.model().name},
          {"target", library.model().target},
          {"batch", work.n},
          {"threads", work.threads},
          {"training", work.train},
          {"calls", profile.calls},
          {"median_ms", profile.median_ms},
          {"min_ms", profile.least_ms},
          {"images_per_second", 1000 * work.n / profile.median_ms},
          {"fma_peak_gflops", profile.machine.gflops},
          {"memory_gigabytes_per_second", profile.machine.gigabytes_per_second},
          {"kernels", std::move(kernels)}};
}

void print_kernels(const Profile& profile, const Library& library) {
  std::vector<TableRow> rows = {{"", "kernel"}, {}};
  rows[0].insert(rows[0].end(), std::begin(kSpentColumns), std::end(kSpentColumns));
  rows[0].emplace_back("schedule");
  const double total_ms = total(profile.rows).ms;
  for (const auto& [r, spent] : profile.rows) {
    const convoke_row& row = library.model().rows[r];
    TableRow& cells = rows.emplace_back(TableRow{core::kProgramNames[row.program], row.name});
    for (std::string& cell : spent_cells(spent, total_ms, profile.machine)) cells.push_back(std::move(cell));
    cells.emplace_back(row.schedule);
  }
  fmt::print("{}\n", format_table("llrrrrrrl", rows));
}

void print_summary(const Profile& profile, const Library& library, const WorkloadOptions& work) {
  fmt::print("{} for {}, batch {}, {} threads, {}: median {:.4f} ms, least {:.4f} ms of {} calls; {:.0f} images/s\n",
             library.model().name, library.model().target, work.n, work.threads,
             work.train ? "training step" : "inference", profile.median_ms, profile.least_ms, profile.calls,
             1000 * work.n / profile.median_ms);
  fmt::print("the machine, now: {:.0f} GFLOP/s of multiply-adds, {:.1f} GB/s from memory\n", profile.machine.gflops,
             profile.machine.gigabytes_per_second);
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(ModelOptions options, resolve(arguments.model, 1));
  options.training = arguments.train;
  ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::make());
  ASSIGN_OR_RETURN(const CompiledLibrary compiled, compile_model(options, {.output_directory = directory.path(),
                                                                           .cache_directory = user_cache_directory(),
                                                                           .progress = compile_progress()}));
  ASSIGN_OR_RETURN(const Library library, Library::open(compiled.library_path));
  const WorkloadOptions work{.n = static_cast<int32_t>(options.batch),
                             .threads = resolve_threads(arguments.threads),
                             .train = arguments.train};
  ASSIGN_OR_RETURN(Workload workload, Workload::make(library, work));
  ASSIGN_OR_RETURN(const Profile measured, profile(library, workload, arguments.seconds));
  if (arguments.json) {
    print_json(report_json(measured, library, work));
  } else {
    print_kernels(measured, library);
    print_summary(measured, library, work);
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
