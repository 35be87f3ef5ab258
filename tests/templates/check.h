// One template on one case: built in the layouts that it asks for, of plain activations and of blocks of images as it
// takes them, compiled by Halide's JIT, run at two batch sizes
// (and once more with operands replaced in place), against the reference.
#pragma once

#include <functional>
#include <string>

#include "schedules/database/lookup.h"
#include "schedules/templates/template.h"
#include "tests/ops/cases.h"

namespace convoke {

bool applies(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target);

enum class Flags { kRelease, kAsserts };  // as libraries are compiled, or with Halide's checks of all accesses

// What is wrong; empty when all is well. Both may abort the process: a child's work. Where the template wishes for an
// output layout that is not plain, it is run with plain outputs too.
std::string check_runs(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target, Flags flags);

// Runs a kernel of several ops, all of it plain, with one schedule: the first difference of an output from the graph's
// own result that is not allowed; empty when there is none.
using Allowed = std::function<double(size_t output, const Tensor& expected)>;
std::string check_graph(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                        const TargetSpec& target, const Allowed& allowed);

// How far such a kernel's convolution, input 1 its weight, may be off: by its sums of terms near 1, times the
// schedule's own error.
double convolution_error(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs);

// An object with constant scratch, for a target that may not run here.
std::string check_compiles(const Case& test_case, const ScheduleTemplate& schedule, const TargetSpec& target);

// Lowered as for libraries, whose scratch is of constant size.
std::string check_scratch(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                          const TargetSpec& target);

// The same of what lookup gives the kernel in a class of batches.
std::string check_lookup(Kernel kernel, BatchClass batch, const TargetSpec& target, const LookupOptions& options);

// Compiles what all JIT-compiled kernels share, for children to inherit.
void warm_jit(const TargetSpec& target);

}  // namespace convoke
