// What this machine can do at this moment, measured: the yardsticks that kernels' times are held against.
#pragma once

namespace convoke {

// Multiply-adds ×2 in registers, of one core over some twenty microseconds, with vectors of so many f32 as this CPU
// has.
double fma_gflops();

double fma_peak_gflops();  // the best of some milliseconds

double memory_gigabytes_per_second(int threads);  // that so many read at once; a tenth of a second

}  // namespace convoke
