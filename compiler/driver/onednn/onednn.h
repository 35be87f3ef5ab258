// A layer's work by oneDNN, to be compared with ours: one primitive in the formats that it likes best; what brings
// operands into them is not timed. Built with Debian's libdnnl-dev when it is there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/kernels/kernel.h"
#include "runtime/base/status.h"

namespace convoke {

struct OneDnnWork {
  // A convolution or linear layer in any of its directions; forward an addition and then a ReLU may follow.
  const Kernel* kernel;
  std::vector<std::vector<float>> inputs;  // of the kernel, logical order
  int64_t n = 1;
  int threads = 1;
  int copies = 1;  // of what has no batch, used in turns
  bool training = false;
};

struct OneDnnLayer {
  std::function<Result<double>()> call;                 // nanoseconds, a copy
  std::function<Result<std::vector<float>>()> outputs;  // of a call, logical order
};

Result<OneDnnLayer> make_onednn_layer(const OneDnnWork& work);

Result<std::string> onednn_version();  // "2.6.3"; an error that says how to get it when it was not there

}  // namespace convoke
