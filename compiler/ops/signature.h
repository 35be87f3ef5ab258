// What an op's inference checks first: operands against patterns, attributes against rules. The messages are for users:
// what was found and what was expected.
#pragma once

#include <initializer_list>

#include "compiler/ops/op.h"

namespace convoke {

// `pattern` is a type with names for sizes: "f32[n,h,w,c]". A leading n is the symbolic batch; any other name is some
// size, the same wherever the node's operands repeat it; a number stands for itself.
struct Operand {
  std::string_view name;  // as messages call it
  std::string_view pattern;
};

// The node has these operands; the last `optional` of them may be absent.
Status expect_operands(const NodeView& node, std::initializer_list<Operand> operands, int optional = 0);

inline constexpr int64_t kMaxAttr = 65535;  // of strides, paddings, dilations: products of two cannot overflow
inline constexpr int64_t kMaxSize = (int64_t{1} << 31) - 1;

struct AttrRule {
  enum Kind { kInt, kFloat, kInts };
  std::string_view key;
  Kind kind;
  size_t count;  // of kInts
  double min, max;
};
inline AttrRule int_attr(std::string_view key, int64_t min, int64_t max) {
  return {key, AttrRule::kInt, 1, static_cast<double>(min), static_cast<double>(max)};
}
inline AttrRule float_attr(std::string_view key, double min, double max) {
  return {key, AttrRule::kFloat, 1, min, max};
}
inline AttrRule ints_attr(std::string_view key, size_t count, int64_t min, int64_t max) {
  return {key, AttrRule::kInts, count, static_cast<double>(min), static_cast<double>(max)};
}

// The node has exactly these attributes, each of its kind and within its bounds.
Status expect_attrs(const NodeView& node, std::initializer_list<AttrRule> rules);

}  // namespace convoke
