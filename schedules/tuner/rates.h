// What this machine can do at this moment, measured: the yardsticks that kernels' times are held against.
#pragma once

namespace convoke {

// Multiply-adds ×2 in registers, of one core over some twenty microseconds, with vectors of so many f32 as this CPU
// has.
double fma_gflops();

double fma_peak_gflops();  // the best of some milliseconds

double memory_gigabytes_per_second(int threads);  // that so many read at once; a tenth of a second

// How long a line of the cache takes from one core to another, one way; some milliseconds. A virtual machine's cores
// may lie at a cache that they share, some twenty nanoseconds, or at two, more than a hundred.
double core_to_core_ns();

}  // namespace convoke
