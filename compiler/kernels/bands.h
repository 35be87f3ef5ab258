// Bands: chains of calls that run for a few samples at a time, so that what one hands to the next stays in the cache
// and needs memory for these samples only.
#pragma once

#include "compiler/kernels/schedule.h"

namespace convoke {

// Splits an inference graph's calls into bands and looks the instances up again for the samples of each. Least is what
// crosses the memory bus: a value inside of a band never does, others once, weights for each of the band's turns. What
// a band touches at a time fits into `cache_bytes`; 0: no bands.
Status choose_bands(ScheduledGraph& scheduled, int64_t cache_bytes, const Lookup& lookup);

}  // namespace convoke
