// Which activations lie in blocks of images, so that vectors are full where channels are few (Layout::images).
#pragma once

#include "compiler/kernels/schedule.h"

namespace convoke {

// Kernels whose activations have at most two vectors of channels, and which lookup knows in blocks, form regions:
// neighbours share an activation. Copies stand at a region's borders, at its inputs and the graph's too. The kernels
// of a region are laid out in blocks when those of them whose vectors channels would not fill are worth its copies.
void lay_out_images(const Graph& graph, std::vector<KernelCall>& calls, int64_t images, const Lookup& lookup);

}  // namespace convoke
