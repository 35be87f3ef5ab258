// Checkpoints: everything that a run's continuation depends on, in a safetensors file that PyTorch's tools can read
// too. Parameters and running statistics have their state-dict names, moments are "optimizer/<moment>/<parameter>", the
// rest is in the metadata with an XXH64 of the whole file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/data/loader.h"
#include "runtime/train/library.h"
#include "runtime/train/metrics.h"

namespace convoke {

// Where a run stands, besides weights and moments.
struct TrainingState {
  int64_t step = 0;         // updates applied
  LoaderPosition position;  // of the next batch; sample == count: the epoch's evaluation is due
  double epoch_loss = 0;    // sums over the epoch's samples so far
  int64_t epoch_correct = 0;
  float best_accuracy = -1;
  int64_t best_epoch = 0;
  std::vector<EpochMetrics> history;
};

// Where a checkpoint's tensors live.
struct TrainingObjects {
  const Library* library;
  convoke_weights* weights;
  convoke_context* context;  // with training
};

// Writes folder/last.safetensors; the one before becomes folder/previous.safetensors. At any moment, also when this
// fails or the machine stops, at least one complete checkpoint is there if one was before.
Status save_checkpoint(const TrainingObjects& objects, const TrainingState& state, const std::string& recipe,
                       const std::string& folder);

struct LoadedCheckpoint {
  TrainingState state;
  std::string path;    // that it came from
  std::string notice;  // why the newest could not be used, "" if it was
};

// Sets weights, statistics and moments from the newest checkpoint that is whole: last, else previous. Refuses
// checkpoints of another model, and those of a `recipe` that differs in anything that matters (a longer run and another
// number of threads are fine).
Result<LoadedCheckpoint> load_checkpoint(const TrainingObjects& objects, const std::string& recipe,
                                         const std::string& folder);

bool has_checkpoint(const std::string& folder);

}  // namespace convoke
