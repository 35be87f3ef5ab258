// A loop of multiply-adds in registers: what this core can do at this moment.
#pragma once

namespace convoke {

// GFLOP/s over some twenty microseconds, with vectors of so many f32 as this CPU has.
double fma_gflops();

}  // namespace convoke
