// One kernel through Halide: its content key, its object, its dumps. Everything here runs in a forked child (child.h).
#pragma once

#include <cstdint>
#include <string>

#include "compiler/kernels/plan.h"
#include "runtime/base/status.h"
#include "schedules/targets/target.h"

namespace convoke {

struct KernelObject {
  std::string symbol;         // of the entry that takes an argument vector: core::KernelFunction
  int64_t scratch_bytes = 0;  // what one worker allocates at most
  std::string object;         // ELF
};

std::string serialize(const KernelObject& kernel);
Result<KernelObject> parse_kernel_object(const std::string& bytes);

// Which Halide this is, the features that every kernel is compiled with, and what is made of its output.
std::string halide_identity();

// Builds the kernel's pipeline and finds its object in the cache, by the content of the pipeline; compiles it when it
// is not there, by way of the file `scratch_path`.
Result<KernelObject> make_kernel_object(const PlanKernel& kernel, const TargetSpec& target,
                                        const std::string& cache_directory, const std::string& scratch_path);

Result<std::string> halide_statement(const PlanKernel& kernel, const TargetSpec& target);
Result<std::string> halide_assembly(const PlanKernel& kernel, const TargetSpec& target,
                                    const std::string& scratch_path);

}  // namespace convoke
