// Memory planning: places for buffers that live for a while. Knows nothing of tensors.
#pragma once

#include <cstdint>
#include <vector>

namespace convoke {

struct Lifetime {
  int first, last;  // steps, both included
  int64_t bytes;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // multiples of 64; buffers that live at the same step do not overlap
  int64_t total_bytes = 0;
  int64_t lower_bound_bytes = 0;  // the largest sum of sizes, rounded to 64, that live at one step
};

// Greedy by size, by lifetime and by start (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020). While that is above the lower bound, what lies highest is placed first next time (Joslin and
// Clements, "Squeaky Wheel Optimization", 1999). The best of all.
MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes);

}  // namespace convoke
