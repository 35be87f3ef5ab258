// Prefetches of streamed operands, which no schedule can say: Halide's own fill the first-level cache alone, which a
// panel of weights overflows, and are loops of their own.
#pragma once

#include <vector>

#include "schedules/templates/template.h"

namespace convoke {

// Before each store that reads the buffer of a stream: a prefetch into the second-level cache, for each line that the
// iteration has not yet read, of the line stream.ahead elements further on. It may lie beyond the buffer's end.
void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams);

}  // namespace convoke
