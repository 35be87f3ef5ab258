// convoke train: compiles a recipe's model into runs/<name>/, trains there, and reports the test set.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "compiler/driver/evaluation.h"
#include "compiler/driver/model_arguments.h"
#include "compiler/driver/trained_model.h"
#include "compiler/driver/verb.h"
#include "runtime/train/interrupt.h"
#include "runtime/train/run_folder.h"
#include "runtime/train/trainer.h"

namespace convoke {
namespace {

struct Arguments {
  std::string recipe, runs = "runs", name;
  int64_t epochs = 0;
  std::optional<uint64_t> seed;
  int32_t threads = 0;
  bool resume = false, overwrite = false, json = false;
};

Json report_json(const TrainingReport& report, const CompiledLibrary& library) {
  Json history = Json::array();
  for (const EpochMetrics& epoch : report.history) {
    history.push_back({{"epoch", epoch.epoch},
                       {"learning_rate", epoch.learning_rate},
                       {"train_loss", epoch.train_loss},
                       {"train_accuracy", epoch.train_accuracy},
                       {"test_loss", epoch.test_loss},
                       {"test_accuracy", epoch.test_accuracy}});
  }
  return {{"run", report.run_folder},
          {"library", library.library_path},
          {"weights", report.weights_path},
          {"steps", report.steps},
          {"interrupted", report.interrupted},
          {"stopped_early", report.stopped_early},
          {"seconds", report.seconds},
          {"images_per_second", report.images_per_second},
          {"best_epoch", report.best_epoch},
          {"best_accuracy", report.best_accuracy},
          {"history", std::move(history)},
          {"evaluation", report.evaluation ? evaluation_json(*report.evaluation) : Json()}};
}

void print_report(const TrainingReport& report) {
  if (report.interrupted) {
    fmt::print("interrupted after step {}; `convoke train --resume` goes on from {}\n", report.steps,
               report.run_folder + "/checkpoints");
    return;
  }
  print_evaluation(*report.evaluation);
  fmt::print("\n{} steps in {}, {:.0f} images/s; best epoch {} with {:.4f}\n", report.steps,
             seconds_text(report.seconds), report.images_per_second, report.best_epoch,
             static_cast<double>(report.best_accuracy));
  if (report.stopped_early) fmt::print("stopped early: no better epoch in the recipe's patience\n");
  fmt::print("{}: weights.safetensors, metrics.csv, curves.svg, confusion.svg, the library and its header\n",
             report.run_folder);
}

Result<CompiledLibrary> compile(const Recipe& recipe, const std::string& folder) {
  ASSIGN_OR_RETURN(CompiledLibrary library,
                   compile_model(model_options(recipe), {.output_directory = folder,
                                                         .cache_directory = user_cache_directory(),
                                                         .progress = compile_progress()}));
  fmt::print(stderr, "{}: {} kernels compiled, {} from the cache\n", library.library_path, library.kernels_compiled,
             library.kernels_cached);
  return library;
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(Recipe recipe, load_recipe(arguments.recipe));
  if (!arguments.name.empty()) recipe.name = arguments.name;
  if (arguments.epochs != 0) recipe.epochs = arguments.epochs;
  if (arguments.seed) recipe.seed = *arguments.seed;
  if (arguments.threads != 0) recipe.threads = arguments.threads;
  RETURN_IF_ERROR(check_recipe(recipe));

  const RunFolder folder{arguments.runs + "/" + recipe.name};
  TrainingOptions options{.progress = progress_for(stderr)};
  if (arguments.resume) options.start = RunStart::kResume;
  if (arguments.overwrite) options.start = RunStart::kOverwrite;
  // What can fail without work does so first.
  RETURN_IF_ERROR(check_run_start(folder, options.start));
  ASSIGN_OR_RETURN(const Dataset train_set, read_training_set(recipe));
  ASSIGN_OR_RETURN(const Dataset test_set,
                   read_idx(recipe.dataset.test_images, recipe.dataset.test_labels, recipe.dataset.class_names));
  ASSIGN_OR_RETURN(const CompiledLibrary compiled, compile(recipe, folder.path));
  ASSIGN_OR_RETURN(const Library library, Library::open(compiled.library_path));

  const InterruptScope interrupt(
      "\ninterrupted: finishing the step, then saving a checkpoint (again to leave at once)\n");
  options.should_stop = [&] { return interrupt.requested(); };
  ASSIGN_OR_RETURN(const TrainingReport report, train(recipe, library, train_set, test_set, folder, options));
  if (!report.notice.empty()) fmt::print(stderr, "{}\n", report.notice);
  if (arguments.json) {
    print_json(report_json(report, compiled));
  } else {
    print_report(report);
  }
  return report.interrupted ? kInterruptedExitCode : 0;
}

}  // namespace

VerbRun train_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.add_option("recipe", arguments->recipe, "Training recipe (.textproto)")->required();
  app.add_option("--runs", arguments->runs, "Folder of the runs")->type_name("DIR");
  app.add_option("--name", arguments->name, "Name of the run instead of the recipe's")->type_name("NAME");
  app.add_option("--epochs", arguments->epochs, "Epochs instead of the recipe's")
      ->check(CLI::Range(1, 100000))
      ->type_name("N");
  app.add_option("--seed", arguments->seed, "Seed instead of the recipe's")->type_name("N");
  app.add_option("--threads", arguments->threads, "Threads; default: the recipe's, else one a core")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  auto* resume = app.add_flag("--resume", arguments->resume, "Go on from the run's last checkpoint");
  app.add_flag("--overwrite", arguments->overwrite, "Start anew in a folder that holds a run")->excludes(resume);
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
