// The memory planner: examples with known answers, and what holds for any lifetimes.
#include "compiler/kernels/memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "runtime/base/checked.h"

namespace convoke {
namespace {

TEST_CASE("no buffers need no memory") {
  const MemoryPlan plan = plan_memory({});
  CHECK(plan.offsets.empty());
  CHECK(plan.total_bytes == 0);
  CHECK(plan.lower_bound_bytes == 0);
}

TEST_CASE("buffers share memory when they do not live together, sizes round up to 64") {
  const MemoryPlan plan = plan_memory({{0, 1, 100}, {1, 2, 60}, {2, 3, 128}, {4, 4, 1}});
  CHECK(plan.total_bytes == 192);
  CHECK(plan.lower_bound_bytes == 192);
  CHECK(plan.offsets[0] == plan.offsets[2]);
}

TEST_CASE("ends are included: a buffer that starts where another ends lives beside it") {
  CHECK(plan_memory({{0, 5, 64}, {5, 9, 64}}).total_bytes == 128);
  CHECK(plan_memory({{0, 5, 64}, {6, 9, 64}}).total_bytes == 64);
}

// A chain of layers and a residual that spans three of them.
TEST_CASE("networks' usual lifetimes reach the lower bound") {
  const MemoryPlan plan = plan_memory({{0, 1, 4096}, {1, 2, 8192}, {2, 3, 2048}, {3, 4, 8192}, {1, 4, 1024}});
  CHECK(plan.lower_bound_bytes == 13312);
  CHECK(plan.total_bytes == plan.lower_bound_bytes);
}

// A convolution's output, pooled (maxima and their places), and the gradients of both.
TEST_CASE("what no order by size, lifetime or start places tightly") {
  const std::vector<Lifetime> lifetimes = {{0, 6, 64 * 19}, {0, 1, 64 * 411}, {1, 4, 64 * 103},
                                           {1, 5, 64 * 26}, {3, 5, 64 * 103}, {5, 6, 64 * 411}};
  const MemoryPlan plan = plan_memory(lifetimes);
  CHECK(plan.lower_bound_bytes == 64 * 559);
  CHECK(plan.total_bytes == plan.lower_bound_bytes);
}

TEST_CASE("random lifetimes: nothing that lives together overlaps") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    INFO(seed);
    std::mt19937_64 random(seed);
    std::vector<Lifetime> lifetimes(random() % 40);
    int64_t sum = 0;
    for (Lifetime& l : lifetimes) {
      l.first = static_cast<int>(random() % 30);
      l.last = l.first + static_cast<int>(random() % 8);
      l.bytes = static_cast<int64_t>(random() % 1000);
      sum += round_up(l.bytes, 64);
    }
    const MemoryPlan plan = plan_memory(lifetimes);
    REQUIRE(plan.offsets.size() == lifetimes.size());
    int64_t end = 0;
    for (size_t a = 0; a < lifetimes.size(); ++a) {
      CHECK(plan.offsets[a] >= 0);
      CHECK(plan.offsets[a] % 64 == 0);
      end = std::max(end, plan.offsets[a] + round_up(lifetimes[a].bytes, 64));
      for (size_t b = 0; b < a; ++b) {
        const bool together = lifetimes[a].first <= lifetimes[b].last && lifetimes[b].first <= lifetimes[a].last;
        const bool overlap = plan.offsets[a] < plan.offsets[b] + lifetimes[b].bytes &&
                             plan.offsets[b] < plan.offsets[a] + lifetimes[a].bytes;
        CHECK_FALSE((together && overlap));
      }
    }
    CHECK(plan.total_bytes == end);
    CHECK(plan.lower_bound_bytes <= plan.total_bytes);
    CHECK(plan.total_bytes <= sum);
    for (int step = 0; step < 40; ++step) {
      int64_t live = 0;
      for (const Lifetime& l : lifetimes) live += l.first <= step && step <= l.last ? round_up(l.bytes, 64) : 0;
      CHECK(live <= plan.lower_bound_bytes);
    }
  }
}

}  // namespace
}  // namespace convoke
