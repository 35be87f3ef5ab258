// Lookup: which template with which knobs runs a kernel.
#pragma once

#include <string>

#include "compiler/kernels/instance.h"
#include "schedules/targets/target.h"

namespace convoke {

// The first template of the list that applies, with its defaults (tuned entries come with the tuner). `only` forces a
// template.
Result<Instance> lookup(const Kernel& kernel, BatchClass batch, const TargetSpec& target, const std::string& only = "");

}  // namespace convoke
