#include "runtime/data/random.h"

#include <numeric>
#include <utility>

#include "runtime/core/philox.h"

namespace convoke {
namespace {

// The last word of the counter keeps the uses apart; 0 is weights_initialize's.
constexpr uint32_t kShuffle = 1;
constexpr uint32_t kAugmentation = 2;
constexpr uint32_t kPass = 3;

core::Random4 random_words(uint64_t seed, int64_t epoch, int64_t index, uint32_t use) {
  const uint64_t at = static_cast<uint64_t>(index);
  return core::philox({{static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), static_cast<uint32_t>(epoch), use}},
                      seed);
}

}  // namespace

std::vector<int32_t> epoch_permutation(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) {
    const core::Random4 random = random_words(seed, epoch, i, kShuffle);
    const uint64_t wide = uint64_t{random.word[0]} << 32 | random.word[1];
    const auto j = static_cast<uint64_t>((static_cast<unsigned __int128>(wide) * static_cast<uint64_t>(i + 1)) >> 64);
    std::swap(order[static_cast<size_t>(i)], order[j]);
  }
  return order;
}

uint64_t pass_seed(uint64_t seed, int64_t step, int64_t done) {
  const core::Random4 random = random_words(seed, done, step, kPass);
  return (uint64_t{random.word[0]} << 32 | random.word[1]) | 1;
}

SampleRandom augmentation_random(uint64_t seed, int64_t epoch, int64_t sample) {
  const core::Random4 random = random_words(seed, epoch, sample, kAugmentation);
  return {{random.word[0], random.word[1], random.word[2], random.word[3]}};
}

}  // namespace convoke
