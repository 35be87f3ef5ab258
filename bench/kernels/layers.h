// The layers whose kernels are measured: those of LeNet at its training and serving batches, those of ResNet-18 and
// -50.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/kernels/kernel.h"

namespace convoke::bench {

struct Work {
  std::string name;  // "conv2d/64x56x56-64k3s1/n1"
  Kernel kernel;
  int64_t batch;
  std::optional<Kernel> forward = {};  // whose weight (its second operand) decides the layout of this one's
};

std::vector<Work> all_work();

}  // namespace convoke::bench
