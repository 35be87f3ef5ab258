// The yardstick of the kernel benchmarks: what one core can do when nothing but multiply-adds is asked of it.
#pragma once

#include "schedules/targets/target.h"

namespace convoke::bench {

// f32 multiply-adds ×2 a second of one core, measured now.
double measure_fma_peak(const TargetSpec& target);

}  // namespace convoke::bench
