// Checked 64-bit arithmetic for sizes that come from files: overflow is an answer, not a wrap.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace convoke {

inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline std::optional<int64_t> checked_product(std::span<const int64_t> factors) {
  std::optional<int64_t> product = 1;
  for (int64_t factor : factors) {
    product = checked_mul(*product, factor);
    if (!product) break;
  }
  return product;
}

inline int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace convoke
