// Blocks of memory from the system.
#include <doctest/doctest.h>

#include <vector>

// Behind the C library's headers, whose functions it declares again.
#include "runtime/core/memory.h"

using namespace convoke::core;

TEST_CASE("a block takes nothing of its neighbours with it when it is given back") {
  constexpr int kPrivateAnonymous = 0x22;
  constexpr uint64_t kPage = 4096;
  struct Mapping {
    uint8_t* begin;
    uint64_t bytes;
  };
  std::vector<Mapping> neighbours, blocks;
  // The system maps downwards: each block lies below a neighbour that starts at another page of 2 MB.
  for (uint64_t page = 1; page <= kHugeBytes / kPage; ++page) {
    const uint64_t bytes = 4 * kHugeBytes + page * kPage;
    neighbours.push_back({static_cast<uint8_t*>(mmap(nullptr, bytes, kReadWrite, kPrivateAnonymous, -1, 0)), bytes});
    blocks.push_back({map_memory(kHugeBytes + 8), kHugeBytes + 8});
    neighbours.back().begin[0] = blocks.back().begin[0] = 1;
    CHECK(reinterpret_cast<uint64_t>(blocks.back().begin) % kHugeBytes == 0);
  }
  for (const Mapping& block : blocks) unmap_memory(block.begin, block.bytes);
  for (const Mapping& neighbour : neighbours) {
    CHECK(neighbour.begin[0] == 1);
    munmap(neighbour.begin, neighbour.bytes);
  }
}
