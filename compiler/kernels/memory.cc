#include "compiler/kernels/memory.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "runtime/base/checked.h"

namespace convoke {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int kTurns = 30;

bool overlap_in_time(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// Places the buffers in this order, each into the smallest gap that holds it.
MemoryPlan place(const std::vector<Lifetime>& lifetimes, const std::vector<int>& order) {
  MemoryPlan plan{.offsets = std::vector<int64_t>(lifetimes.size())};
  std::vector<int> placed;
  for (int id : order) {
    const int64_t bytes = round_up(lifetimes[id].bytes, kAlignment);
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (int other : placed) {
      if (!overlap_in_time(lifetimes[id], lifetimes[other])) continue;
      taken.push_back({plan.offsets[other], plan.offsets[other] + round_up(lifetimes[other].bytes, kAlignment)});
    }
    std::sort(taken.begin(), taken.end());
    int64_t end = 0, best = -1, best_gap = INT64_MAX;
    for (const auto& [from, to] : taken) {
      const int64_t gap = from - end;
      if (gap >= bytes && gap < best_gap) {
        best = end;
        best_gap = gap;
      }
      end = std::max(end, to);
    }
    plan.offsets[id] = best >= 0 ? best : end;
    plan.total_bytes = std::max(plan.total_bytes, plan.offsets[id] + bytes);
    placed.push_back(id);
  }
  return plan;
}

int64_t lower_bound(const std::vector<Lifetime>& lifetimes) {
  int64_t bound = 0;
  for (const Lifetime& at : lifetimes) {  // the live set can only grow where a lifetime starts
    int64_t live = 0;
    for (const Lifetime& other : lifetimes) {
      if (other.first <= at.first && at.first <= other.last) live += round_up(other.bytes, kAlignment);
    }
    bound = std::max(bound, live);
  }
  return bound;
}

// The buffer that ends where the plan does.
int find_highest(const MemoryPlan& plan, const std::vector<Lifetime>& lifetimes) {
  const auto end = [&](size_t id) { return plan.offsets[id] + round_up(lifetimes[id].bytes, kAlignment); };
  int highest = 0;
  for (size_t id = 1; id < lifetimes.size(); ++id) {
    if (end(id) > end(highest)) highest = static_cast<int>(id);
  }
  return highest;
}

}  // namespace

MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes) {
  using Score = std::function<int64_t(const Lifetime&)>;
  const std::vector<Score> scores = {
      [](const Lifetime& l) { return -l.bytes; },
      [](const Lifetime& l) { return -l.bytes * (l.last - l.first + 1); },
      [](const Lifetime& l) { return static_cast<int64_t>(l.first - l.last); },
      [](const Lifetime& l) { return static_cast<int64_t>(l.first); },
  };
  const int64_t bound = lower_bound(lifetimes);
  MemoryPlan best;
  for (const Score& score : scores) {
    std::vector<int> order(lifetimes.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return score(lifetimes[a]) < score(lifetimes[b]); });
    for (int turn = 0; turn < kTurns; ++turn) {
      MemoryPlan plan = place(lifetimes, order);
      if (best.offsets.empty() || plan.total_bytes < best.total_bytes) best = plan;
      if (best.total_bytes == bound) break;
      const auto highest = std::find(order.begin(), order.end(), find_highest(plan, lifetimes));
      std::rotate(order.begin(), highest, highest + 1);
    }
  }
  best.lower_bound_bytes = bound;
  return best;
}

}  // namespace convoke
