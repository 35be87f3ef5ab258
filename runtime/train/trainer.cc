#include "runtime/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "runtime/data/loader.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/diagnose.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/run_folder.h"
#include "runtime/train/schedules.h"
#include "runtime/train/weights_file.h"

namespace convoke {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// A run in progress. Everything that a later part of it needs is in `state`, the weights and the moments.
struct Run {
  const Recipe& recipe;
  const Library& library;
  const Dataset& train_set;
  const Dataset& test_set;
  const RunFolder& folder;
  const TrainingOptions& options;
  std::string recipe_text;
  int64_t steps_per_epoch;
  Weights weights;
  Context context;
  Progress progress;
  std::unique_ptr<Loader> loader;
  TrainingState state;
  TrainingReport report;
  double step_seconds = 0;
  int64_t images_trained = 0;

  TrainingObjects objects() const { return {&library, weights.get(), context.get()}; }
  bool should_stop() const { return options.should_stop && options.should_stop(); }
  double rate_of(int64_t step) const { return learning_rate(recipe.schedule, step, steps_per_epoch, recipe.epochs); }
};

Status check_run(const Recipe& recipe, const Library& library, const Dataset& train_set, const Dataset& test_set) {
  RETURN_IF_ERROR(check_recipe(recipe));
  if (!library.model().has_training) {
    return failed_precondition(std::string(library.model().name) + ": the library was compiled without training");
  }
  for (const Dataset* set : {&train_set, &test_set}) {
    const char* which = set == &train_set ? "training data: " : "test data: ";
    if (set->count < 1) return invalid_argument(std::string(which) + "has no images");
    if (Status status = check_dataset(library, *set); !status.ok()) {
      return Status(status.code(), which + status.message());
    }
  }
  return ok_status();
}

// Weights, moments and position: from the checkpoint, a file of weights, or the seed.
Status initialize(Run& run) {
  run.library.table().weights_initialize(run.weights.get(), run.recipe.seed);
  if (run.options.start == RunStart::kResume) {
    ASSIGN_OR_RETURN(LoadedCheckpoint loaded,
                     load_checkpoint(run.objects(), run.recipe_text, run.folder.checkpoints()));
    if (loaded.state.position.sample > run.train_set.count) {
      return failed_precondition(loaded.path + ": stands at sample " + std::to_string(loaded.state.position.sample) +
                                 ", the training set has " + std::to_string(run.train_set.count));
    }
    run.state = std::move(loaded.state);
    run.report.resumed_at_step = run.state.step;
    run.report.notice = loaded.notice;
    if (!loaded.notice.empty()) run.progress.note(loaded.notice);
    return ok_status();
  }
  if (run.recipe.initial_weights.empty()) return ok_status();
  return load_weights(run.library, run.weights.get(), run.recipe.initial_weights);
}

Status not_finite_error(Run& run, const Batch& batch, const std::string& message) {
  const std::string where = first_non_finite(run.library, run.weights.get(), run.context.get(),
                                             std::min(batch.n, run.library.model().capacity), batch.images.data());
  char rate[32];
  std::snprintf(rate, sizeof rate, "%g", run.rate_of(run.state.step));
  const bool saved = has_checkpoint(run.folder.checkpoints());
  return failed_precondition(
      "epoch " + std::to_string(batch.position.epoch + 1) + ", step " + std::to_string(run.state.step + 1) +
      " (learning rate " + rate + "): " + message + (where.empty() ? "" : "; " + where) +
      ". Try a lower learning rate, a warm-up or max_gradient_norm." +
      (saved ? " The last good state is in " + run.folder.checkpoints() + "/last.safetensors" : ""));
}

// One update from one batch. A batch over the capacity goes in pieces whose gradients add up: each is a mean over its
// own samples, so it counts n_piece / n.
Status train_step(Run& run, const Batch& batch) {
  const convoke_library& table = run.library.table();
  const int64_t elems = run.train_set.image_elems();
  convoke_error error{};
  double loss = 0;
  int64_t correct = 0;
  for (int32_t done = 0; done < batch.n;) {
    const int32_t n = std::min(run.library.model().capacity, batch.n - done);
    const void* images = batch.images.data() + done * elems;
    const convoke_step step = {done > 0, static_cast<float>(n) / static_cast<float>(batch.n),
                               pass_seed(run.recipe.seed, run.state.step, done)};
    convoke_metrics metrics{};
    if (table.forward_backward(run.context.get(), n, &images, batch.labels.data() + done, &step, &metrics, &error) !=
        CONVOKE_OK) {
      return library_status(error);
    }
    loss += static_cast<double>(metrics.loss) * n;
    correct += std::lround(static_cast<double>(metrics.accuracy) * n);
    done += n;
  }
  const convoke_update update = {static_cast<float>(run.rate_of(run.state.step)), run.state.step + 1,
                                 static_cast<float>(run.recipe.max_gradient_norm)};
  const int32_t code = table.update(run.context.get(), &update, nullptr, &error);
  if (code == CONVOKE_NOT_FINITE) return not_finite_error(run, batch, error.message);
  if (code != CONVOKE_OK) return library_status(error);
  ++run.state.step;
  run.state.position.sample = batch.position.sample + batch.n;
  run.state.epoch_loss += loss;
  run.state.epoch_correct += correct;
  return ok_status();
}

// Evaluates the epoch that ended and writes what it left. False: interrupted before it was evaluated.
Result<bool> finish_epoch(Run& run) {
  ASSIGN_OR_RETURN(std::optional<Evaluation> evaluation,
                   evaluate(run.library, run.context.get(), run.test_set, [&](int64_t) { return !run.should_stop(); }));
  if (!evaluation) return false;
  TrainingState& state = run.state;
  const double samples = static_cast<double>(run.train_set.count);
  const EpochMetrics metrics = {.epoch = state.position.epoch + 1,
                                .step = state.step,
                                .learning_rate = static_cast<float>(run.rate_of(state.step - 1)),
                                .train_loss = static_cast<float>(state.epoch_loss / samples),
                                .train_accuracy = static_cast<float>(double(state.epoch_correct) / samples),
                                .test_loss = static_cast<float>(evaluation->loss),
                                .test_accuracy = static_cast<float>(evaluation->accuracy)};
  state.history.push_back(metrics);
  state.position = {state.position.epoch + 1, 0};
  state.epoch_loss = 0;
  state.epoch_correct = 0;
  run.progress.end_epoch(metrics);
  if (metrics.test_accuracy > state.best_accuracy) {
    state.best_accuracy = metrics.test_accuracy;
    state.best_epoch = metrics.epoch;
    RETURN_IF_ERROR(save_weights(run.library, run.weights.get(), run.folder.best_weights()));
  }
  RETURN_IF_ERROR(write_run_results(run.folder, run.recipe.name, state.history, *evaluation));
  RETURN_IF_ERROR(save_checkpoint(run.objects(), state, run.recipe_text, run.folder.checkpoints()));
  run.report.evaluation = std::move(evaluation);
  return true;
}

bool is_out_of_patience(const Run& run) {
  return run.recipe.patience > 0 && run.state.position.epoch - run.state.best_epoch >= run.recipe.patience;
}

// The batch after `state.position`; the loader begins where the run does and then keeps pace with it.
const Batch& next_batch(Run& run) {
  if (!run.loader) {
    LoaderOptions options{
        .batch_size = run.recipe.batch_size,
        .order = SampleOrder::kShuffled,
        .seed = run.recipe.seed,
        .epochs = run.recipe.epochs,
        .transform = *library_transform(run.library),
        .augmentation = {run.recipe.augmentation.horizontal_flip, run.recipe.augmentation.crop_padding}};
    run.loader = std::make_unique<Loader>(run.train_set, options, run.state.position);
  }
  return run.loader->next();
}

// The rest of the epoch's steps; true if it ended, false if interrupted before.
Result<bool> train_epoch(Run& run) {
  run.progress.begin_epoch(run.state.position.epoch);
  const auto begin = Clock::now();
  const int64_t first = run.state.position.sample;
  while (run.state.position.sample < run.train_set.count) {
    RETURN_IF_ERROR(train_step(run, next_batch(run)));
    const int64_t done = run.state.position.sample;
    const double samples = static_cast<double>(done);
    run.progress.update(done, run.state.epoch_loss / samples, static_cast<double>(run.state.epoch_correct) / samples);
    const bool ended = done == run.train_set.count;
    if (run.should_stop() && !ended) return false;
    if (!ended && run.recipe.checkpoint_steps > 0 && run.state.step % run.recipe.checkpoint_steps == 0) {
      RETURN_IF_ERROR(save_checkpoint(run.objects(), run.state, run.recipe_text, run.folder.checkpoints()));
    }
  }
  run.step_seconds += seconds_since(begin);
  run.images_trained += run.train_set.count - first;
  return true;
}

// Epochs until the end, the end of patience, or an interruption, which leaves a checkpoint.
Status run_epochs(Run& run) {
  while (run.state.position.epoch < run.recipe.epochs && !is_out_of_patience(run)) {
    ASSIGN_OR_RETURN(bool proceeds, train_epoch(run));
    if (proceeds) {
      ASSIGN_OR_RETURN(proceeds, finish_epoch(run));
    }
    if (!proceeds)
      RETURN_IF_ERROR(save_checkpoint(run.objects(), run.state, run.recipe_text, run.folder.checkpoints()));
    if (!proceeds || (run.should_stop() && run.state.position.epoch < run.recipe.epochs)) {
      run.report.interrupted = true;
      return ok_status();
    }
  }
  run.report.stopped_early = run.state.position.epoch < run.recipe.epochs;
  return ok_status();
}

// A complete run leaves its weights; one that was complete before is evaluated again for the report.
Status finish_run(Run& run) {
  if (!run.report.evaluation) {
    ASSIGN_OR_RETURN(run.report.evaluation, evaluate(run.library, run.context.get(), run.test_set, {}));
  }
  RETURN_IF_ERROR(save_weights(run.library, run.weights.get(), run.folder.weights()));
  run.report.weights_path = run.folder.weights();
  return ok_status();
}

}  // namespace

Result<TrainingReport> train(const Recipe& recipe, const Library& library, const Dataset& train_set,
                             const Dataset& test_set, const RunFolder& folder, const TrainingOptions& options) {
  const auto begin = Clock::now();
  RETURN_IF_ERROR(check_run(recipe, library, train_set, test_set));
  ASSIGN_OR_RETURN([[maybe_unused]] const PixelTransform transform, library_transform(library));
  const std::string recipe_text = format_recipe(recipe);
  ASSIGN_OR_RETURN(Weights weights, create_weights(library));
  ASSIGN_OR_RETURN(Context context,
                   create_context(library, weights.get(), {.training = 1, .threads = resolve_threads(recipe.threads)}));
  Run run{.recipe = recipe,
          .library = library,
          .train_set = train_set,
          .test_set = test_set,
          .folder = folder,
          .options = options,
          .recipe_text = recipe_text,
          .steps_per_epoch = (train_set.count + recipe.batch_size - 1) / recipe.batch_size,
          .weights = std::move(weights),
          .context = std::move(context),
          .progress = Progress(options.progress, options.progress_stream, recipe.epochs, train_set.count)};
  RETURN_IF_ERROR(check_run_start(folder, options.start));
  RETURN_IF_ERROR(initialize(run));  // before anything of an older run is removed
  RETURN_IF_ERROR(prepare_run_folder(folder, options.start, recipe_text));
  RETURN_IF_ERROR(run_epochs(run));
  if (run.report.interrupted) {
    run.report.evaluation.reset();
  } else {
    RETURN_IF_ERROR(finish_run(run));
  }
  TrainingReport& report = run.report;
  report.run_folder = folder.path;
  report.steps = run.state.step;
  report.history = run.state.history;
  report.best_epoch = run.state.best_epoch;
  report.best_accuracy = std::max(run.state.best_accuracy, 0.0f);
  report.seconds = seconds_since(begin);
  report.images_per_second = static_cast<double>(run.images_trained) / std::max(run.step_seconds, 1e-9);
  return std::move(report);
}

}  // namespace convoke
