// Work in forked children: a crash or an assertion in Halide, LLVM or LLD costs one job and becomes its Status, and
// every job starts from the same state of the process, so its result does not depend on the jobs before it.
#pragma once

#include <functional>
#include <string>

#include "runtime/base/status.h"

namespace convoke {

// Runs job(0) … job(count - 1), each in a child of its own, at most `workers` at once (0: one a core), and hands each
// result to `done` in order of completion. A child that dies gives a Status with what it said on stderr.
void run_in_children(int count, int workers, const std::function<Result<std::string>(int job)>& job,
                     const std::function<void(int job, Result<std::string> result)>& done);

// A single job.
Result<std::string> run_in_child(const std::function<Result<std::string>()>& job);

}  // namespace convoke
