// Kernels compiled in this process and called with buffers: no plan, no executor.
#pragma once

#include <cstdlib>
#include <memory>

#include "schedules/templates/template.h"

namespace convoke::bench {

// Where a call finds its operands: in the caches, or out of them, as in a network whose other weights have passed
// through since.
enum class Operands { kHot, kCold };

using Buffers = std::vector<Halide::Buffer<>>;  // inputs, then outputs

struct CompiledKernel {
  Halide::Callable callable;
  std::unique_ptr<uint8_t, decltype(&std::free)> memory;  // of all sets, in huge pages, as the arenas of libraries are
  std::vector<Buffers> sets;                              // used in turns: together they fit no cache, if more than one
  size_t next = 0;
};

// Release flags, the layouts that the schedule wishes for; the buffers hold small numbers. `assembly`: a file to write,
// or empty.
CompiledKernel compile(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                       const TargetSpec& target, int64_t batch, Operands operands, const std::string& assembly);

void call(CompiledKernel& kernel);

}  // namespace convoke::bench
