// Trains a network: the loop over epochs and steps, evaluation after each epoch, checkpoints, and the run's folder
// with all that is worth keeping. The same recipe, library and data give the same bits, whether in one go or in parts.
#pragma once

#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/train/library.h"
#include "runtime/train/metrics.h"
#include "runtime/train/progress.h"
#include "runtime/train/recipe.h"

namespace convoke {

// runs/<name>: recipe.textproto (resolved), metrics.csv (rewritten after each epoch), curves.svg, confusion.svg,
// checkpoints/{last,previous,best}.safetensors, weights.safetensors (of the end; best: weights of the best epoch).
struct RunFolder {
  std::string path;

  std::string file(const std::string& name) const { return path + "/" + name; }
  std::string checkpoints() const { return file("checkpoints"); }
  std::string weights() const { return file("weights.safetensors"); }
  std::string best_weights() const { return file("checkpoints/best.safetensors"); }
};

enum class RunStart {
  kNew,        // refuses a folder that has a checkpoint
  kOverwrite,  // removes what the run in the folder left
  kResume,     // continues from the newest whole checkpoint; refuses a folder without
};

struct TrainingOptions {
  RunStart start = RunStart::kNew;
  ProgressKind progress = ProgressKind::kNone;
  std::FILE* progress_stream = stderr;
  std::function<bool()> should_stop;  // asked after each step (see interrupt.h); true: checkpoint and leave
};

struct TrainingReport {
  std::string run_folder;
  std::string weights_path;  // "" if interrupted
  int64_t steps = 0;         // of the whole run
  int64_t resumed_at_step = -1;
  bool interrupted = false;
  bool stopped_early = false;  // by recipe.patience
  std::vector<EpochMetrics> history;
  int64_t best_epoch = 0;
  float best_accuracy = 0;
  std::optional<Evaluation> evaluation;  // of the final weights on the test set; none if interrupted
  double seconds = 0;                    // of this call
  double images_per_second = 0;          // of training steps alone, this call
  std::string notice;                    // e.g. which checkpoint was damaged
};

// Errors leave the last checkpoint as it was. A loss or gradient that is not finite is one (kFailedPrecondition), with
// epoch, step and the layer's name.
Result<TrainingReport> train(const Recipe& recipe, const Library& library, const Dataset& train_set,
                             const Dataset& test_set, const RunFolder& folder, const TrainingOptions& options);

}  // namespace convoke
