// A mutex of one word (0 free, 1 held, 2 held and waited for), after U. Drepper, "Futexes Are Tricky".
#pragma once

#include "runtime/core/libc.h"

namespace convoke::core {

inline void lock(uint32_t* word) {
  uint32_t seen = 0;
  if (__atomic_compare_exchange_n(word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) futex_wait(word, 2);
}

inline void unlock(uint32_t* word) {
  if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2) futex_wake(word, 1);
}

}  // namespace convoke::core
