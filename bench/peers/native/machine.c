// What the machine gives, now: "GFLOP/s GB/s", of multiply-adds in registers on one core, and of reading memory with
// THREADS threads.
//
//   machine THREADS
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __AVX512F__
enum { kLanes = 16 };
#else
enum { kLanes = 8 };
#endif
typedef float vector __attribute__((vector_size(4 * kLanes)));
enum { kAccumulators = 12, kSteps = 1 << 20, kRepeats = 15 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double fma_rate(void) {
  volatile float factor = 0.5f, term = 1;
  const vector scale = factor - (vector){0}, shift = term - (vector){0};
  vector sums[kAccumulators] = {0}, total = {0};
  double best = 1e9;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double start = seconds();
    for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
      for (int a = 0; a < kAccumulators; ++a) sums[a] = sums[a] * scale + shift;
    }
    const double took = seconds() - start;
    if (took < best) best = took;
  }
  for (int a = 0; a < kAccumulators; ++a) total += sums[a];
  term = total[0];
  return 2.0 * kLanes * kAccumulators * kSteps / best;
}

enum { kBytes = 128 << 20 };
static volatile float sink;

static void* read_memory(void* data) {
  const vector* values = data;
  vector sums[8] = {0};
  for (size_t i = 0; i < kBytes / sizeof(vector); i += 8) {
#pragma GCC unroll 8
    for (int a = 0; a < 8; ++a) sums[a] += values[i + a];
  }
  for (int a = 1; a < 8; ++a) sums[0] += sums[a];
  sink = sums[0][0];
  return NULL;
}

static double read_rate(int threads) {
  pthread_t handles[64];
  void* data[64];
  for (int t = 0; t < threads; ++t) {
    data[t] = aligned_alloc(1 << 21, kBytes);
    memset(data[t], 0, kBytes);
  }
  double best = 1e9;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double start = seconds();
    for (int t = 1; t < threads; ++t) pthread_create(&handles[t], NULL, read_memory, data[t]);
    read_memory(data[0]);
    for (int t = 1; t < threads; ++t) pthread_join(handles[t], NULL);
    const double took = seconds() - start;
    if (took < best) best = took;
  }
  return (double)threads * kBytes / best;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 1;
  if (threads < 1 || threads > 64) return 1;
  printf("%.2f %.2f\n", fma_rate() / 1e9, read_rate(threads) / 1e9);
  return 0;
}
