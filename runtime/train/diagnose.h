// Finds where a value that is not finite first arose, for the message that ends a run.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/train/library.h"

namespace convoke {

// Looks through the parameters, then, by running the forward pass on the failed batch once per kernel with that
// kernel's result captured, through the activations in order: "the output of 'conv2+relu2' is nan"; "" if all are
// finite. Running statistics change, so only a run that is over may ask.
std::string first_non_finite(const Library& library, const convoke_weights* weights, convoke_context* context,
                             int32_t n, const float* images);

}  // namespace convoke
