// Anonymous mappings: zeroed, and from 2 MB on aligned to 2 MB and advised huge (with small pages a cold Winograd layer
// ran at half its speed).
#pragma once

#include "runtime/core/libc.h"

namespace convoke::core {

constexpr uint64_t kMaxPageBytes = 65536;  // small pages are 4 to 64 KB
constexpr uint64_t kHugeBytes = 2u << 20;
constexpr int kReadWrite = 3, kAdviseHuge = 14;  // PROT_READ | PROT_WRITE, MADV_HUGEPAGE

// What is mapped for so many bytes: large blocks end where any system's page does, since they are cut out of a mapping.
constexpr uint64_t mapping_bytes(uint64_t bytes) {
  return bytes >= kHugeBytes ? round_up(bytes, kMaxPageBytes) : bytes;
}

// NULL when the system refuses.
inline uint8_t* map_memory(uint64_t asked) {
  constexpr int kPrivateAnonymous = 0x22;
  const uint64_t bytes = mapping_bytes(asked), slack = bytes >= kHugeBytes ? kHugeBytes : 0;
  void* mapped = mmap(nullptr, bytes + slack, kReadWrite, kPrivateAnonymous, -1, 0);
  if (mapped == reinterpret_cast<void*>(-1)) return nullptr;
  uint8_t* begin = static_cast<uint8_t*>(mapped);
  if (!slack) return begin;
  const uint64_t address = reinterpret_cast<uint64_t>(begin);
  const uint64_t before = round_up(address, kHugeBytes) - address, behind = slack - before;
  if (before) munmap(begin, before);
  if (behind) munmap(begin + before + bytes, behind);
  madvise(begin + before, bytes, kAdviseHuge);
  return begin + before;
}

inline void unmap_memory(void* memory, uint64_t asked) { munmap(memory, mapping_bytes(asked)); }

// The first `bytes` of a file, private to this process, where map_memory would put them: a file system that keeps large
// pages has huge ones mapped.
inline uint8_t* map_file(int file, uint64_t bytes) {
  constexpr int kPrivateFixed = 0x12;
  uint8_t* begin = map_memory(bytes);
  if (!begin) return nullptr;
  if (mmap(begin, bytes, kReadWrite, kPrivateFixed, file, 0) != begin) {
    unmap_memory(begin, bytes);
    return nullptr;
  }
  madvise(begin, bytes, kAdviseHuge);
  return begin;
}

}  // namespace convoke::core
