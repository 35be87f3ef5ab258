// Batches of a data set, made ahead by a thread of the loader's own: shuffled anew each epoch or in order, transformed
// to f32. What comes is a pure function of data set, options and position, so a position is all there is to save.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/data/transform.h"

namespace convoke {

enum class SampleOrder { kSequential, kShuffled };

struct LoaderOptions {
  int64_t batch_size = 64;
  SampleOrder order = SampleOrder::kSequential;
  uint64_t seed = 0;
  int64_t epochs = std::numeric_limits<int64_t>::max();  // the thread ends with the last batch of epoch epochs - 1
  PixelTransform transform;
  Augmentation augmentation;
};

// `sample`: how many of the epoch's samples came before.
struct LoaderPosition {
  int64_t epoch = 0, sample = 0;
};

struct Batch {
  LoaderPosition position;      // of its first sample
  int32_t n = 0;                // batch_size, or what is left of the epoch
  std::vector<float> images;    // [n, height, width, channels]
  std::vector<int32_t> labels;  // n
};

class Loader {
 public:
  // `dataset` must outlive the loader and have 1 to 4 channels; start.sample < dataset.count.
  Loader(const Dataset& dataset, const LoaderOptions& options, LoaderPosition start);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch, valid until the following call; waits if it is not ready. Must not be called past the last epoch.
  const Batch& next();

 private:
  void fill_batches(LoaderPosition position);
  void fill(Batch& batch, LoaderPosition position, const std::vector<int32_t>& order) const;

  const Dataset& dataset_;
  const LoaderOptions options_;
  const PixelTable table_;
  std::vector<Batch> ring_;
  std::mutex mutex_;
  std::condition_variable filled_, freed_;
  uint64_t made_ = 0;   // batches filled
  uint64_t taken_ = 0;  // batches handed out; the newest of them is still in use
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace convoke
