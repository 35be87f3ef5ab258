#include "runtime/data/loader.h"

#include <algorithm>
#include <numeric>

namespace convoke {
namespace {

constexpr size_t kRing = 4;  // one in use, three ahead

}  // namespace

Loader::Loader(const Dataset& dataset, const LoaderOptions& options, LoaderPosition start)
    : dataset_(dataset), options_(options), table_(pixel_table(options.transform)), ring_(kRing) {
  ENSURE(dataset.channels >= 1 && dataset.channels <= 4) << dataset.channels << " channels";
  ENSURE(start.sample >= 0 && start.sample < dataset.count) << start.sample << " of " << dataset.count;
  for (Batch& batch : ring_) {
    const size_t most = static_cast<size_t>(std::min(options.batch_size, dataset.count));
    batch.images.reserve(most * static_cast<size_t>(dataset.image_elems()));
    batch.labels.reserve(most);
  }
  thread_ = std::thread([this, start] { fill_batches(start); });
}

Loader::~Loader() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  freed_.notify_one();
  thread_.join();
}

const Batch& Loader::next() {
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [&] { return made_ > taken_; });
  const Batch& batch = ring_[taken_ % kRing];
  ++taken_;
  lock.unlock();
  freed_.notify_one();
  return batch;
}

void Loader::fill_batches(LoaderPosition position) {
  std::vector<int32_t> order;
  int64_t ordered_epoch = -1;
  for (uint64_t made = 0; position.epoch < options_.epochs; ++made) {
    if (position.epoch != ordered_epoch) {
      ordered_epoch = position.epoch;
      if (options_.order == SampleOrder::kShuffled) {
        order = epoch_permutation(dataset_.count, options_.seed, position.epoch);
      } else if (order.empty()) {
        order.resize(static_cast<size_t>(dataset_.count));
        std::iota(order.begin(), order.end(), 0);
      }
    }
    {
      // The slot of the batch in use is free again when the batch after it has been taken.
      std::unique_lock lock(mutex_);
      freed_.wait(lock, [&] { return stopped_ || made + 1 < taken_ + kRing; });
      if (stopped_) return;
    }
    Batch& batch = ring_[made % kRing];
    fill(batch, position, order);
    position.sample += batch.n;
    if (position.sample == dataset_.count) position = {position.epoch + 1, 0};
    {
      std::lock_guard lock(mutex_);
      made_ = made + 1;
    }
    filled_.notify_one();
  }
}

void Loader::fill(Batch& batch, LoaderPosition position, const std::vector<int32_t>& order) const {
  const int64_t elems = dataset_.image_elems();
  batch.position = position;
  batch.n = static_cast<int32_t>(std::min(options_.batch_size, dataset_.count - position.sample));
  batch.images.resize(static_cast<size_t>(batch.n * elems));
  batch.labels.resize(static_cast<size_t>(batch.n));
  const bool augmented = options_.augmentation.horizontal_flip || options_.augmentation.crop_padding > 0;
  for (int64_t i = 0; i < batch.n; ++i) {
    const int64_t sample = order[static_cast<size_t>(position.sample + i)];
    float* to = batch.images.data() + i * elems;
    batch.labels[static_cast<size_t>(i)] = dataset_.labels[static_cast<size_t>(sample)];
    if (augmented) {
      const SampleRandom random = augmentation_random(options_.seed, position.epoch, sample);
      augment_image(table_, dataset_, dataset_.image(sample), options_.augmentation, random, to);
    } else {
      transform_image(table_, dataset_.image(sample), elems, dataset_.channels, to);
    }
  }
}

}  // namespace convoke
