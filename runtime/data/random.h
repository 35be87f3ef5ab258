// What is random about training, as pure functions of seed, epoch or step, and sample
// (core/philox.h): the same on every machine, for any number of threads, from any point of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace convoke {

// The order of an epoch: a uniform permutation of 0 .. count-1 (Fisher and Yates).
std::vector<int32_t> epoch_permutation(int64_t count, uint64_t seed, int64_t epoch);

// Four random words of the augmentation of one sample in one epoch.
struct SampleRandom {
  uint32_t word[4];
};
SampleRandom augmentation_random(uint64_t seed, int64_t epoch, int64_t sample);

// Of the pass over the samples of a step from the `done`-th on (convoke_step::seed); never 0.
uint64_t pass_seed(uint64_t seed, int64_t step, int64_t done);

// An integer of [0, bound) from a random word; the bias is below bound / 2^32.
inline int64_t bounded(uint32_t word, int64_t bound) { return static_cast<int64_t>((word * uint64_t(bound)) >> 32); }

}  // namespace convoke
