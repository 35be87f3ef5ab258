// The tuner: for each kernel that matters, the fastest of the schedules that its templates offer, measured here and
// checked against the reference.
#pragma once

#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "compiler/kernels/plan.h"
#include "schedules/database/database.h"
#include "schedules/targets/target.h"
#include "schedules/tuner/workbench.h"

namespace convoke {

// A kernel of some plans and how often a call of their networks runs it.
struct TuneKernel {
  std::string name;  // of its first row
  PlanKernel planned;
  WeightStorage storage;
  int64_t n = 1;
  int64_t uses = 1;
  double ns = 0;     // of one call as planned, when measured
  double share = 0;  // of all kernels' time
};

// The kernels of one plan behind those already there, merged by key and batch class; rows of the programs
// `first` … `last` that do not only pack weights.
void add_kernels(const Plan& plan, convoke_program first, convoke_program last, std::vector<TuneKernel>& kernels);

struct TuneOptions {
  TargetSpec target;
  int threads = 1;
  int workers = 0;  // compiling at once; 0: one a core
  double budget_seconds = 1200;
  std::string cpu, date;
  std::string cache_directory;
  std::string scratch_directory;  // exists
  bool again = false;             // kernels that this CPU has tuned already, too
  double least_share = 0.01;      // of the time of all kernels: what is under it is not worth the while
};

struct TuneObserver {
  std::function<bool()> interrupted;
  // At a kernel's start and whenever a wave was measured.
  struct Progress {
    int kernel, kernels;
    std::string name;
    double seconds_left;
    double gain;  // of all kernels' time so far: before / now
    double kernel_gain;
  };
  std::function<void(const Progress&)> progress;
  // Not even its defaults could be measured, or be proven right.
  std::function<void(const TuneKernel& kernel, const Status& why)> failed;
  // A kernel is done: it stands in the database. An error ends the tuning.
  std::function<Status(const TuneKernel& kernel, const TunedSchedule& schedule)> tuned;
};

struct TuneReport {
  int tuned = 0;                       // in this run
  int already = 0;                     // by this CPU, before
  int failed = 0;                      // TuneObserver::failed
  double before_ns = 0, after_ns = 0;  // of all kernels' calls; those that were not tuned count as they are
  bool complete = false;               // nothing that matters is left
};

// Tunes what matches `pattern` by name, the largest share of the time first, and puts the results into `database`.
Result<TuneReport> tune(std::vector<TuneKernel> kernels, const std::regex& pattern, const TuneOptions& options,
                        const TuneObserver& observer, Database& database);

// The largest error of a schedule's result against the reference, relative to its largest element; an error when it
// does not compile or run. What a tuned schedule may be off by is kMostError.
inline constexpr double kMostError = 1e-4;
Result<double> verify(const PlanKernel& planned, int64_t n, const TuneOptions& options);

}  // namespace convoke
