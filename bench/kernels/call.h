// Kernels compiled in this process and called with buffers: no plan, no executor.
#pragma once

#include "schedules/templates/template.h"

namespace convoke::bench {

struct CompiledKernel {
  Halide::Callable callable;
  std::vector<Halide::Buffer<>> buffers;  // inputs, then outputs
};

// Release flags, the layouts that the schedule wishes for; the buffers hold small numbers. `assembly`: a file to write,
// or empty.
CompiledKernel compile(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                       const TargetSpec& target, int64_t batch, const std::string& assembly);

void call(CompiledKernel& kernel);

}  // namespace convoke::bench
