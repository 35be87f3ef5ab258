// Counts this process' calls of the C library's allocation functions and of mmap, those of loaded libraries too.
#pragma once

#include <cstdint>

namespace convoke {

int64_t allocation_count();

}  // namespace convoke
