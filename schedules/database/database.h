// The tuned database: which schedule won for a kernel, on which machine, by how much. Text form:
// schedules/tuned/<target>.textproto; those files are embedded when Convoke is built.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "compiler/kernels/instance.h"
#include "runtime/base/status.h"

namespace convoke {

struct TunedSchedule {
  std::string kernel;  // tuning_key
  BatchClass batch = BatchClass::kOne;
  std::string cpu;
  std::string template_name;
  Knobs knobs;
  int64_t n = 1;
  int threads = 1;
  int64_t ns = 0;
  double spread = 0;
  int64_t default_ns = 0;
  double fma_gflops = 0;
  double max_error = 0;
  std::string date;
  bool inference_only = false;  // may not run in training steps, which have one of their own beside it

  // One schedule each.
  auto identity() const { return std::tie(kernel, batch, cpu, inference_only); }
  bool operator==(const TunedSchedule&) const = default;
};

struct Database {
  std::vector<TunedSchedule> schedules;  // sorted by identity
};

// What a tuned schedule is found by: the kernel's key without layouts, which follow from schedules.
std::string tuning_key(const Kernel& kernel);

// The key without what only says how large images are: kernels of one family differ in height and width alone.
std::string kernel_family(const std::string& key);

// Errors name `name`, line and column, or the entry.
Result<Database> parse_database(const std::string& text, const std::string& name);
std::string print(const Database& database);

Result<Database> read_database(const std::string& path);       // an error when there is no such file
Result<Database> shipped_database(const std::string& target);  // as built in; empty for a target without one

// In place of the schedule of the same identity, if there is one.
void put(Database& database, TunedSchedule schedule);
const TunedSchedule* find(const Database& database, const TunedSchedule& identity);
void erase(Database& database, const TunedSchedule& identity);

// Nanoseconds on a core of 1 GFLOP/s: what makes times of a kernel on machines of one kind comparable, whatever their
// clock was and however many threads and samples were measured.
double calibrated_ns(const TunedSchedule& schedule);

// Puts what `from` has into `into`; of two schedules of one identity the one that is faster, calibrated, stays.
void merge(Database& into, const Database& from);

// What differs, by identity; null: there is none.
struct Difference {
  const TunedSchedule *before, *after;
};
std::vector<Difference> differences(const Database& before, const Database& after);

// One line for people: "conv2d+relu f32[n,56,56,64] f32[64,64,3,3] -> f32[n,56,56,64]".
std::string describe(const TunedSchedule& schedule);

std::string to_string(BatchClass batch);  // "1", "2-3", "4-7", "8+"

}  // namespace convoke
