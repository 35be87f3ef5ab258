// Prefetches of streamed buffers, which no schedule can say: Halide's own fill the first-level cache alone, which a
// panel of weights overflows, and are loops of their own. Arithmetic between a kernel's accesses to memory keeps the
// processor's prefetchers from seeing far enough ahead: without these, convolutions of activations that no cache holds
// take up to a fifth longer.
#pragma once

#include <vector>

#include "schedules/templates/template.h"

namespace convoke {

// Before each store to the buffer of a stream, or of something read from it: a prefetch into the second-level cache,
// for each line that the iteration has not yet touched, of the line stream.ahead elements further on. It may lie beyond
// the buffer's end. Where the turns of a loop all read the same, as tiles do a panel of weights, each prefetches a
// share of what lies ahead instead. Of reads in bursts the iterations of stream.during share in the next burst.
void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams);

}  // namespace convoke
