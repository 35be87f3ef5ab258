// convoke bench: the median time of a call, and where it goes, by kernel or by layer.
#include <fmt/format.h>

#include <memory>

#include "compiler/driver/against.h"
#include "compiler/driver/layer_times.h"
#include "compiler/driver/model_arguments.h"
#include "compiler/driver/onednn/onednn.h"
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
  bool train = false, layers = false, json = false;
  std::string against;
  double seconds = 2;
};

Json kernels_json(const Profile& profile, const Library& library) {
  const double total_ms = total(profile.rows).ms;
  Json kernels = Json::array();
  for (const auto& [r, spent] : profile.rows) {
    const convoke_row& row = library.model().rows[r];
    Json kernel = {{"program", core::kProgramNames[row.program]}, {"name", row.name}, {"schedule", row.schedule}};
    add_spent(spent, total_ms, profile.machine, kernel);
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

// Of the parts the times alone.
Json layers_json(const Profile& profile, const std::vector<LayerTime>& layers) {
  const double total_ms = total(profile.rows).ms;
  Json array = Json::array();
  for (const LayerTime& layer : layers) {
    Json one = {{"name", layer.name},
                {"op", layer.op},
                {"forward_ms", layer.forward.ms},
                {"data_gradient_ms", layer.data_gradient.ms},
                {"weight_gradient_ms", layer.weight_gradient.ms}};
    if (layer.sum().ms > 0) add_spent(layer.sum(), total_ms, profile.machine, one);
    array.push_back(std::move(one));
  }
  return array;
}

Json report_json(const Profile& profile, const Library& library, const WorkloadOptions& work) {
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
          {"core_to_core_ns", profile.machine.core_to_core_ns},
          {"bound_ms", bound_ms(profile.rows, profile.machine)},
          {"kernels", kernels_json(profile, library)}};
}

struct AgainstTotal {
  double ms = 0, onednn_ms = 0;
};
AgainstTotal total(const std::vector<LayerAgainst>& layers) {
  AgainstTotal sum;
  for (const LayerAgainst& layer : layers) sum.ms += layer.ms, sum.onednn_ms += layer.onednn_ms;
  return sum;
}

Json against_json(const std::vector<LayerAgainst>& layers) {
  Json array = Json::array();
  for (const LayerAgainst& layer : layers) {
    array.push_back({{"layer", layer.layer},
                     {"direction", layer.direction},
                     {"schedule", layer.schedule},
                     {"ms", layer.ms},
                     {"onednn_ms", layer.onednn_ms},
                     {"ratio", layer.onednn_ms / layer.ms},
                     {"difference", layer.difference}});
  }
  const AgainstTotal sum = total(layers);
  return {{"onednn", onednn_version().value()},
          {"ms", sum.ms},
          {"onednn_ms", sum.onednn_ms},
          {"ratio", sum.onednn_ms / sum.ms},
          {"layers", std::move(array)}};
}

void append(TableRow& row, std::vector<std::string> cells) {
  row.insert(row.end(), std::make_move_iterator(cells.begin()), std::make_move_iterator(cells.end()));
}

void print_kernels(const Profile& profile, const Library& library) {
  std::vector<TableRow> rows = {{"", "kernel"}, {}};
  append(rows[0], {std::begin(kSpentColumns), std::end(kSpentColumns)});
  append(rows[0], {"schedule"});
  const double total_ms = total(profile.rows).ms;
  for (const auto& [r, spent] : profile.rows) {
    const convoke_row& row = library.model().rows[r];
    TableRow& cells = rows.emplace_back(TableRow{core::kProgramNames[row.program], row.name});
    append(cells, spent_cells(spent, total_ms, profile.machine));
    append(cells, {row.schedule});
  }
  fmt::print("{}\n", format_table("llrrrrrrl", rows));
}

std::string ms_or_dash(double ms) { return ms > 0 ? fmt::format("{:.4f}", ms) : "-"; }

void print_layers(const Profile& profile, const std::vector<LayerTime>& layers) {
  std::vector<TableRow> rows = {{"layer", "op", "forward", "data gradient", "weight gradient"}, {}};
  append(rows[0], {std::begin(kSpentColumns), std::end(kSpentColumns)});
  const double total_ms = total(profile.rows).ms;
  for (const LayerTime& layer : layers) {
    TableRow& cells = rows.emplace_back(TableRow{layer.name, layer.op});
    for (const Spent& part : {layer.forward, layer.data_gradient, layer.weight_gradient}) {
      append(cells, {ms_or_dash(part.ms)});
    }
    const bool ran = layer.sum().ms > 0;
    append(cells, ran ? spent_cells(layer.sum(), total_ms, profile.machine) : TableRow(std::size(kSpentColumns), "-"));
  }
  fmt::print("{}\n", format_table("llrrrrrrrrr", rows));
}

void print_against(const std::vector<LayerAgainst>& layers) {
  std::vector<TableRow> rows = {{"layer", "", "ms", "oneDNN", "ratio", "difference", "schedule"}, {}};
  const auto add = [&](const std::string& name, double ms, double onednn_ms) -> TableRow& {
    return rows.emplace_back(TableRow{name, "", fmt::format("{:.4f}", ms), fmt::format("{:.4f}", onednn_ms),
                                      fmt::format("{:.2f}", onednn_ms / ms), "", ""});
  };
  for (const LayerAgainst& layer : layers) {
    TableRow& row = add(layer.layer, layer.ms, layer.onednn_ms);
    row[1] = layer.direction;
    row[5] = fmt::format("{:.1e}", layer.difference);
    row[6] = layer.schedule;
  }
  rows.emplace_back();
  const AgainstTotal sum = total(layers);
  add("total", sum.ms, sum.onednn_ms);
  fmt::print("{}\nconvolutions and linear layers, each alone, beside oneDNN {}\n\n", format_table("llrrrrl", rows),
             onednn_version().value());
}

void print_summary(const Profile& profile, const Library& library, const WorkloadOptions& work) {
  fmt::print("{} for {}, batch {}, {} threads, {}: median {:.4f} ms, least {:.4f} ms of {} calls; {:.0f} images/s\n",
             library.model().name, library.model().target, work.n, work.threads,
             work.train ? "training step" : "inference", profile.median_ms, profile.least_ms, profile.calls,
             1000 * work.n / profile.median_ms);
  const MachineRates& machine = profile.machine;
  const std::string apart =
      work.threads > 1 ? fmt::format(", {:.0f} ns from core to core", machine.core_to_core_ns) : "";
  fmt::print("the machine, now: {:.0f} GFLOP/s of multiply-adds, {:.1f} GB/s from memory{}: bound {:.4f} ms\n",
             machine.gflops, machine.gigabytes_per_second, apart, bound_ms(profile.rows, machine));
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(ModelOptions options, resolve(arguments.model, 1));
  options.training = arguments.train;
  ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::make());
  ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(options));
  ASSIGN_OR_RETURN(const CompiledLibrary compiled, compile_planned(planned, {.output_directory = directory.path(),
                                                                             .cache_directory = user_cache_directory(),
                                                                             .progress = compile_progress()}));
  ASSIGN_OR_RETURN(const Library library, Library::open(compiled.library_path));
  const WorkloadOptions work{.n = static_cast<int32_t>(options.batch),
                             .threads = resolve_threads(arguments.threads),
                             .train = arguments.train};
  std::vector<LayerAgainst> against;
  if (!arguments.against.empty()) {
    ASSIGN_OR_RETURN(against, against_onednn(planned, work, arguments.seconds / 10));
  }
  ASSIGN_OR_RETURN(Workload workload, Workload::make(library, work));
  ASSIGN_OR_RETURN(const Profile measured, profile(library, workload, arguments.seconds));
  std::vector<LayerTime> layers;
  if (arguments.layers) layers = layer_times(planned, measured.rows);
  if (arguments.json) {
    Json report = report_json(measured, library, work);
    if (arguments.layers) report["layers"] = layers_json(measured, layers);
    if (!arguments.against.empty()) report["against"] = against_json(against);
    print_json(report);
    return 0;
  }
  if (arguments.layers) {
    print_layers(measured, layers);
  } else {
    print_kernels(measured, library);
  }
  if (!arguments.against.empty()) print_against(against);
  print_summary(measured, library, work);
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
  app.add_flag("--layers", arguments->layers, "A row a layer of the model, in place of one a kernel");
  app.add_option("--against", arguments->against, "Convolutions and linear layers beside those of this library, too")
      ->check(CLI::IsMember({"onednn"}))
      ->type_name("onednn");
  app.add_option("--seconds", arguments->seconds, "How long to measure")->check(CLI::Range(0.01, 3600.0));
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
