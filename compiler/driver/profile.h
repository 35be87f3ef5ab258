// Where the time of a library's calls goes, kernel by kernel, beside what the machine can do.
#pragma once

#include <vector>

#include "compiler/driver/output.h"
#include "compiler/driver/workload.h"

namespace convoke {

// What the threads of a call can do together.
struct MachineRates {
  double gflops = 0;                // multiply-adds ×2 in registers
  double gigabytes_per_second = 0;  // from memory
  double core_to_core_ns = 0;       // one way; 0 of one thread
};

// Of one call. Flops as the operation is defined: what Winograd saves is speed.
struct Spent {
  double ms = 0, flops = 0, bytes = 0;
  Spent& operator+=(const Spent& other);

  double gflops() const { return flops / ms / 1e6; }
  double gigabytes_per_second() const { return bytes / ms / 1e6; }
};

struct RowTime {
  int row;  // of the library
  Spent spent;
};

struct Profile {
  double median_ms, least_ms;
  int64_t calls;
  std::vector<RowTime> rows;  // in order; those that ran
  MachineRates machine;       // in the same run
};

// Steps for so many seconds, then some with timing.
Result<Profile> profile(const Library& library, Workload& workload, double seconds);

Spent total(const std::vector<RowTime>& rows);

// What a call's kernels compute and move, without times; and the least time that the machine needs for each of them,
// added up: the larger of its flops at the peak and its bytes from memory. Winograd and caches may beat it.
std::vector<RowTime> call_work(const Library& library, const WorkloadOptions& options);
double bound_ms(const std::vector<RowTime>& rows, const MachineRates& machine);

MachineRates measure_machine(int threads);

// Time, share of `total_ms`, rates and what they are of the machine's: cells of a table's row, members of an object.
inline constexpr const char* kSpentColumns[] = {"ms", "share", "GFLOP/s", "of peak", "GB/s", "of memory"};
std::vector<std::string> spent_cells(const Spent& spent, double total_ms, const MachineRates& machine);
void add_spent(const Spent& spent, double total_ms, const MachineRates& machine, Json& to);

}  // namespace convoke
