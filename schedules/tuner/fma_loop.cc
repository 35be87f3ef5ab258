#include "schedules/tuner/fma_loop.h"

#include <chrono>

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

}  // namespace

double fma_gflops() {
  const auto start = std::chrono::steady_clock::now();
  const int lanes = fma_loop();
  const std::chrono::duration<double, std::nano> ns = std::chrono::steady_clock::now() - start;
  return 2.0 * kAccumulators * kSteps * lanes / ns.count();
}

}  // namespace convoke
