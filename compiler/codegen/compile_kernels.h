// All kernels of a plan as objects: from the cache, or compiled in forked children.
#pragma once

#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/kernel_object.h"

namespace convoke {

struct CompiledKernels {
  std::vector<KernelObject> objects;  // as plan.kernels
  int compiled = 0, cached = 0;
};

// `scratch_directory` exists and is empty.
Result<CompiledKernels> compile_kernels(const Plan& plan, const TargetSpec& target, const CodegenOptions& options,
                                        const std::string& scratch_directory);

}  // namespace convoke
