#include "compiler/driver/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "schedules/tuner/rates.h"

namespace convoke {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Spent spent(const convoke_row& row, int64_t n, double ms) {
  return {.ms = ms,
          .flops = static_cast<double>(row.flops_per_sample * n + row.flops_per_call),
          .bytes = static_cast<double>(row.bytes_per_sample * n + row.bytes_per_call)};
}

// Medians over `steps` steps, apart from the timing of whole calls, which this would disturb.
Result<std::vector<RowTime>> time_rows(const Library& library, Workload& workload, int64_t steps) {
  const convoke_library& table = library.table();
  std::vector<std::vector<double>> times(static_cast<size_t>(library.model().row_count));
  std::vector<uint64_t> ns(times.size()), calls(times.size());
  for (int64_t i = 0; i < steps; ++i) {
    table.profile(workload.context(), 1);  // clears
    RETURN_IF_ERROR(workload.step());
    table.profile_read(workload.context(), ns.data(), calls.data());
    for (size_t r = 0; r < times.size(); ++r) {
      if (calls[r] > 0) times[r].push_back(static_cast<double>(ns[r]) / 1e6);
    }
  }
  table.profile(workload.context(), 0);
  std::vector<RowTime> rows;
  for (size_t r = 0; r < times.size(); ++r) {
    if (times[r].empty()) continue;
    rows.push_back({static_cast<int>(r), spent(library.model().rows[r], workload.options().n, median(times[r]))});
  }
  return rows;
}

}  // namespace

Spent& Spent::operator+=(const Spent& other) {
  ms += other.ms;
  flops += other.flops;
  bytes += other.bytes;
  return *this;
}

Result<Profile> profile(const Library& library, Workload& workload, double seconds) {
  constexpr int kWarmUps = 3;
  constexpr size_t kFewestCalls = 5;
  for (int i = 0; i < kWarmUps; ++i) RETURN_IF_ERROR(workload.step());
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < kFewestCalls || milliseconds_since(begin) < 1000 * seconds) {
    const auto start = Clock::now();
    RETURN_IF_ERROR(workload.step());
    times.push_back(milliseconds_since(start));
  }
  Profile profile{.median_ms = median(times),
                  .least_ms = std::ranges::min(times),
                  .calls = static_cast<int64_t>(times.size()),
                  .machine = measure_machine(workload.options().threads)};
  ASSIGN_OR_RETURN(profile.rows, time_rows(library, workload, std::clamp<int64_t>(profile.calls / 4, 3, 1000)));
  return profile;
}

Spent total(const std::vector<RowTime>& rows) {
  Spent sum;
  for (const RowTime& row : rows) sum += row.spent;
  return sum;
}

std::vector<RowTime> call_work(const Library& library, const WorkloadOptions& options) {
  std::vector<RowTime> rows;
  for (int r = 0; r < library.model().row_count; ++r) {
    const convoke_row& row = library.model().rows[r];
    const bool runs = options.train ? row.program > CONVOKE_INFER : row.program == CONVOKE_INFER;
    if (runs) rows.push_back({r, spent(row, options.n, 0)});
  }
  return rows;
}

double bound_ms(const std::vector<RowTime>& rows, const MachineRates& machine) {
  double seconds = 0;
  for (const auto& [row, spent] : rows) {
    seconds += 1e-9 * std::max(spent.flops / machine.gflops, spent.bytes / machine.gigabytes_per_second);
  }
  return 1000 * seconds;
}

MachineRates measure_machine(int threads) {
  return {threads * fma_peak_gflops(), memory_gigabytes_per_second(threads), threads > 1 ? core_to_core_ns() : 0};
}

std::vector<std::string> spent_cells(const Spent& spent, double total_ms, const MachineRates& machine) {
  const auto percent = [](double share) { return fmt::format("{:.1f} %", 100 * share); };
  return {fmt::format("{:.4f}", spent.ms),
          percent(spent.ms / total_ms),
          fmt::format("{:.1f}", spent.gflops()),
          percent(spent.gflops() / machine.gflops),
          fmt::format("{:.1f}", spent.gigabytes_per_second()),
          percent(spent.gigabytes_per_second() / machine.gigabytes_per_second)};
}

void add_spent(const Spent& spent, double total_ms, const MachineRates& machine, Json& to) {
  to["ms"] = spent.ms;
  to["share"] = spent.ms / total_ms;
  to["gflops"] = spent.gflops();
  to["peak_share"] = spent.gflops() / machine.gflops;
  to["gigabytes_per_second"] = spent.gigabytes_per_second();
  to["memory_share"] = spent.gigabytes_per_second() / machine.gigabytes_per_second;
}

}  // namespace convoke
