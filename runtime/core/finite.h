// Tests for infinities and NaN on the bits, which no compiler flag can fold away.
#pragma once

#include <stdint.h>

namespace convoke::core {

inline uint32_t float_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline bool is_finite(float value) { return (float_bits(value) & 0x7f800000) != 0x7f800000; }
inline bool is_nan(float value) { return (float_bits(value) & 0x7fffffff) > 0x7f800000; }
inline const char* non_finite_text(float value) {
  if (is_nan(value)) return "nan";
  return float_bits(value) >> 31 ? "-inf" : "inf";
}

}  // namespace convoke::core
