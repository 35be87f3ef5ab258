// How much memory a lowered kernel takes: from its worker's slab and from the stack. Generated code does not check for
// NULL and the slab has a fixed size, so every allocation must be a constant.
#pragma once

#include <cstdint>

#include "Halide.h"
#include "runtime/base/status.h"

namespace convoke {

struct ScratchUse {
  int64_t heap_bytes = 0;
  int64_t stack_bytes = 0;
};
inline constexpr int64_t kMaxStackBytes = 64 << 10;

// Of the slab what lives at once in each function (a worker may run a loop's tasks within the function that starts it,
// so functions add up), of the stack all. An allocation without a constant size, or more stack than
// kMaxStackBytes, is an error that names the buffer.
Result<ScratchUse> measure_scratch(const Halide::Module& module);

}  // namespace convoke
