// convoke compile: a model definition to <out>/<model>.so and <model>.h, weights to <model>.weights beside them; or one
// stage of the way as text.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "compiler/driver/coverage.h"
#include "compiler/driver/dump.h"
#include "compiler/driver/model_arguments.h"
#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "runtime/train/weights_file.h"

namespace convoke {
namespace {

struct Arguments {
  ModelArguments model;
  std::string out = ".", weights;
  bool inference_only = false, strip = false, json = false;
  DumpRequest dump;
};

struct Outcome {
  const PlannedModel& planned;
  const CompiledLibrary& library;
  std::string weights_path;  // empty: none were given
  double seconds;
};

Json report(const Outcome& outcome) {
  const auto& [planned, library, weights_path, seconds] = outcome;
  int64_t parameters = 0;
  for (const TensorDescription& parameter : planned.description.parameters) parameters += parameter.type.elems();
  const int64_t activations = planned.plan.arena_bytes[core::kActivations];
  return {{"model", planned.description.name},
          {"target", planned.target.name},
          {"batch", planned.plan.capacity},
          {"training", planned.description.has_training},
          {"library", library.library_path},
          {"header", library.header_path},
          {"weights", weights_path},
          {"library_bytes", library.library_bytes},
          {"parameters", parameters},
          {"rows", planned.plan.rows.size()},
          {"kernels", planned.plan.kernels.size()},
          {"kernels_compiled", library.kernels_compiled},
          {"kernels_cached", library.kernels_cached},
          {"schedules", coverage_json(coverage(planned.plan))},
          {"weights_bytes", library.weights_bytes},
          {"inference_context_bytes", library.inference_context_bytes},
          {"training_context_bytes", library.training_context_bytes},
          {"activation_bytes", activations},
          {"activation_lower_bound_bytes", planned.plan.activation_lower_bound_bytes},
          {"scratch_bytes_per_thread", library.scratch_bytes_per_thread},
          {"seconds", seconds}};
}

void print_report(const Outcome& outcome) {
  const auto& [planned, library, weights_path, seconds] = outcome;
  const Plan& plan = planned.plan;
  const auto line = [](const char* what, const std::string& value) { fmt::print("  {:<12}{}\n", what, value); };
  fmt::print("{} for {}, batches of up to {}{}\n", planned.description.name, planned.target.name, plan.capacity,
             planned.description.has_training ? "" : ", inference only");
  line("kernels", fmt::format("{} for {} calls: {} compiled, {} from the cache", plan.kernels.size(), plan.rows.size(),
                              library.kernels_compiled, library.kernels_cached));
  const Coverage schedules = coverage(plan);
  line("schedules", schedules_text(schedules));
  line("predicted", predicted_text(schedules));
  line("weights", (weights_path.empty() ? "" : weights_path + "  ") + bytes_text(library.weights_bytes));
  line("context", planned.description.has_training
                      ? fmt::format("{} to train, {} to infer", bytes_text(library.training_context_bytes),
                                    bytes_text(library.inference_context_bytes))
                      : bytes_text(library.inference_context_bytes));
  line("activations", fmt::format("{}, lower bound {}", bytes_text(plan.arena_bytes[core::kActivations]),
                                  bytes_text(plan.activation_lower_bound_bytes)));
  line("library", fmt::format("{}  {}", library.library_path, bytes_text(library.library_bytes)));
  line("header", library.header_path);
  line("took", seconds_text(seconds));
}

// In the form that the library maps. It is the library that prepares them.
Result<std::string> write_weights(const CompiledLibrary& compiled, const std::string& safetensors) {
  ASSIGN_OR_RETURN(const Library library, Library::open(compiled.library_path));
  const std::string path = std::filesystem::path(compiled.library_path).replace_extension(".weights");
  RETURN_IF_ERROR(save_prepared_weights(library, safetensors, path));
  return path;
}

Result<ExitCode> run(const Arguments& arguments) {
  constexpr int64_t kDefaultBatch = 64;
  const auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(ModelOptions options, resolve(arguments.model, kDefaultBatch));
  if (arguments.inference_only) options.training = false;
  if (arguments.dump.any()) {
    RETURN_IF_ERROR(dump(arguments.dump, options));
    return 0;
  }
  ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(options));
  if (!arguments.weights.empty() && !runs_here(planned.target)) {
    return invalid_argument(
        fmt::format("--weights: it is the library that prepares them, and {} does not run here; "
                    "call weights_save there",
                    planned.target.name));
  }
  const CodegenOptions codegen{.output_directory = arguments.out,
                               .cache_directory = user_cache_directory(),
                               .symbols = arguments.strip ? Symbols::kStrip : Symbols::kKeep,
                               .progress = compile_progress()};
  ASSIGN_OR_RETURN(const CompiledLibrary library, compile_planned(planned, codegen));
  std::string weights_path;
  if (!arguments.weights.empty()) {
    ASSIGN_OR_RETURN(weights_path, write_weights(library, arguments.weights));
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const Outcome outcome{planned, library, weights_path, seconds.count()};
  if (arguments.json) {
    print_json(report(outcome));
  } else {
    print_report(outcome);
  }
  return 0;
}

}  // namespace

VerbRun compile_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  add_compile_arguments(app, arguments->model);
  app.add_option("--out,-o", arguments->out, "Folder for the library and its header")->type_name("DIR");
  app.add_option("--weights", arguments->weights,
                 "Also write these (.safetensors) to <model>.weights, for weights_open")
      ->type_name("FILE");
  app.add_flag("--inference-only", arguments->inference_only, "Without loss, backward pass and optimizer");
  app.add_flag("--strip", arguments->strip, "Without symbols of kernels, which profilers show");
  add_dump_arguments(app, arguments->dump);
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
