// Prefetches of streamed buffers, which no schedule can say: Halide's own fill only the first-level cache.
#pragma once

#include <vector>

#include "schedules/templates/template.h"

namespace convoke {

// In every innermost loop that reads the buffer of a stream, prefetches into the second-level cache what lies
// stream.ahead elements behind what an iteration reads.
void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams);

}  // namespace convoke
