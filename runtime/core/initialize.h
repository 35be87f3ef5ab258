// The parts of initialisation that tests check against published values.
#pragma once

#include <stdint.h>

#include "runtime/core/convoke.h"

namespace convoke::core {

struct Random4 {
  uint32_t word[4];
};
Random4 philox(Random4 counter, uint64_t key);  // Philox4x32-10

float initial_value(const convoke_tensor& tensor, int32_t index, int64_t element, uint64_t seed);

}  // namespace convoke::core
