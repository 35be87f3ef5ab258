// The parts of initialisation that tests check against published values.
#pragma once

#include <stdint.h>

#include "runtime/core/convoke.h"
#include "runtime/core/philox.h"

namespace convoke::core {

float initial_value(const convoke_tensor& tensor, int32_t index, int64_t element, uint64_t seed);

}  // namespace convoke::core
