// A lookup without templates: every kernel gets an instance named after its anchor that wishes its weight packed, so
// that layouts, copies and plans are tested without Halide.
#pragma once

#include "compiler/kernels/schedule.h"

namespace convoke {

// conv2d and linear wish [co/8][ky][kx][ci][co%8], gradients with respect to data [ci/4][ky][kx][co][ci%4]; gradients
// with respect to weights and everything else have no wish.
Result<Instance> wish_packed_weights(const Kernel& kernel, int64_t samples);

// No wishes at all.
Result<Instance> wish_nothing(const Kernel& kernel, int64_t samples);

}  // namespace convoke
