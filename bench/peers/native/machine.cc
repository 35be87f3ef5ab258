// What the machine gives, now: "GFLOP/s GB/s ns", of multiply-adds in registers on one core, of reading memory with
// THREADS threads, and from core to core (0 with one thread).
//
//   machine THREADS
#include <cstdio>
#include <cstdlib>

#include "schedules/tuner/rates.h"

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 64) return 1;
  std::printf("%.2f %.2f %.1f\n", convoke::fma_peak_gflops(), convoke::memory_gigabytes_per_second(threads),
              threads > 1 ? convoke::core_to_core_ns() : 0.0);
  return 0;
}
