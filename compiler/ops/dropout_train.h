// The typed view of dropout in training (dropout_train.cc says what it computes).
#pragma once

#include "compiler/ops/op.h"

namespace convoke {

struct Dropout {
  uint32_t threshold;  // words below it drop
  uint32_t stream;     // of the layer
  float scale;         // of what stays
};
Dropout as_dropout_train(const NodeView& node);

}  // namespace convoke
