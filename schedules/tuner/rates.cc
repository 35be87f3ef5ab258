#include "schedules/tuner/rates.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace convoke {
namespace {

constexpr int kAccumulators = 12;  // latency 4, two a cycle, and room for them in sixteen registers
constexpr int kSteps = 8192;

// The optimizer must not see through `Vector * scale + shift`, nor drop it.
#define FMA_LOOP(name, lanes, ...)                                                   \
  __VA_ARGS__ int name() {                                                           \
    typedef float Vector __attribute__((vector_size(4 * (lanes)), may_alias));       \
    Vector sums[kAccumulators] = {}, scale = sums[0] + 0.5f, shift = sums[0] + 1.0f; \
    asm volatile("" : "+m"(scale), "+m"(shift));                                     \
    const Vector a = scale, b = shift;                                               \
    for (int step = 0; step < kSteps; ++step) {                                      \
      _Pragma("GCC unroll 12") for (Vector & sum : sums) sum = sum * a + b;          \
    }                                                                                \
    for (Vector & sum : sums) asm volatile("" : "+m"(sum));                          \
    return lanes;                                                                    \
  }

#if defined(__x86_64__)
FMA_LOOP(loop_of_16, 16, [[gnu::target("avx512f")]])
FMA_LOOP(loop_of_8, 8, [[gnu::target("avx2,fma")]])
int fma_loop() { return __builtin_cpu_supports("avx512f") ? loop_of_16() : loop_of_8(); }
#else
FMA_LOOP(fma_loop, 4)
#endif

using Clock = std::chrono::steady_clock;
double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// Vectors of sixteen bytes are enough: a core adds them faster than memory brings them.
typedef uint64_t Words __attribute__((vector_size(16)));
using Block = std::vector<Words>;
constexpr size_t kBlockBytes = 128 << 20;  // what no cache keeps

// In streams side by side: of a single one the processor's prefetchers do not ask for enough.
void read(const Block& block) {
  constexpr size_t kStreams = 4, kLine = 4;
  Words sums[kStreams] = {};
  const size_t length = block.size() / kStreams;
  for (size_t i = 0; i < length; i += kLine) {
    _Pragma("GCC unroll 16") for (size_t s = 0; s < kStreams * kLine; ++s) {
      sums[s / kLine] += block[s / kLine * length + i + s % kLine];
    }
  }
  for (Words& sum : sums) asm volatile("" : "+m"(sum));
}

}  // namespace

double fma_gflops() {
  const auto start = Clock::now();
  const int lanes = fma_loop();
  return 2.0 * kAccumulators * kSteps * lanes / ns_since(start);
}

double fma_peak_gflops() {
  constexpr double kNs = 2e7;
  double best = 0;
  for (const auto start = Clock::now(); ns_since(start) < kNs;) best = std::max(best, fma_gflops());
  return best;
}

double memory_gigabytes_per_second(int threads) {
  constexpr int kRepeats = 8;
  const std::vector<Block> blocks(static_cast<size_t>(threads), Block(kBlockBytes / sizeof(Words), Words{1, 1}));
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = Clock::now();
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(read, std::cref(blocks[static_cast<size_t>(t)]));
    read(blocks[0]);
    others.clear();  // joins
    best = std::max(best, static_cast<double>(threads) * kBlockBytes / ns_since(start));
  }
  return best;
}

double core_to_core_ns() {
  constexpr int kRepeats = 5, kTurns = 5000;
  double best = 1e9;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    alignas(128) std::atomic<int> turn = 0;
    const auto wait_for = [&turn](int mine) {
      constexpr int kSpins = 10000;  // the other may need this core
      for (int spins = 0; turn.load(std::memory_order_acquire) != mine; ++spins) {
        if (spins > kSpins) std::this_thread::yield();
      }
    };
    const auto pass = [&turn](int mine) { turn.store(mine + 1, std::memory_order_release); };
    const std::jthread other([&] {
      for (int mine = 1; mine <= 2 * kTurns + 1; mine += 2) wait_for(mine), pass(mine);
    });
    pass(0), wait_for(2);  // it runs
    const auto start = Clock::now();
    for (int mine = 2; mine <= 2 * kTurns; mine += 2) pass(mine), wait_for(mine + 2);
    best = std::min(best, ns_since(start) / (2 * kTurns));
  }
  return best;
}

}  // namespace convoke
