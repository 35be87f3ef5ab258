// Fork-join under load. Run with -fsanitize=thread by the test command.
#include "runtime/core/pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace convoke::core;

namespace {

struct Marks {
  std::vector<int> times;  // plain ints: two threads on one task would be a race
  std::atomic<int> highest_worker{0};
};

int mark(void* argument, int worker, int index) {
  Marks* marks = static_cast<Marks*>(argument);
  ++marks->times[static_cast<size_t>(index)];
  int seen = marks->highest_worker;
  while (worker > seen && !marks->highest_worker.compare_exchange_weak(seen, worker)) {
  }
  return 0;
}

int fail_at_three(void*, int, int index) { return index == 3 ? -7 : 0; }

void check_forks(convoke_pool* pool, int threads, int forks, int count) {
  Marks marks{std::vector<int>(static_cast<size_t>(count)), {}};
  for (int f = 0; f < forks; ++f) {
    int result = 1;
    REQUIRE(pool_run(pool, threads, count, mark, &marks, &result));
    REQUIRE(result == 0);
  }
  for (int times : marks.times) REQUIRE(times == forks);
  CHECK(marks.highest_worker < threads);
}

void serial_host(void*, int32_t count, void (*task)(void*, int32_t), void* argument) {
  for (int32_t i = count - 1; i >= 0; --i) task(argument, i);
}

void threaded_host(void*, int32_t count, void (*task)(void*, int32_t), void* argument) {
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < count; ++i) threads.emplace_back(task, argument, i);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("every task runs exactly once, at 2 to 8 threads") {
  for (int threads : {2, 3, 4, 8}) {
    convoke_pool* pool = nullptr;
    REQUIRE(pool_create(threads, &pool, nullptr) == CONVOKE_OK);
    for (int count : {1, 2, 7, 64}) check_forks(pool, threads, 500, count);
    check_forks(pool, 2, 500, 16);          // fewer than the pool has
    check_forks(pool, threads, 2, 200000);  // more than tickets can number
    pool_destroy(pool);
  }
}

TEST_CASE("sleeping helpers wake") {
  convoke_pool* pool = nullptr;
  REQUIRE(pool_create(3, &pool, nullptr) == CONVOKE_OK);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    check_forks(pool, 3, 1, 12);
  }
  pool_destroy(pool);
}

TEST_CASE("within a call helpers stay awake, but not for ever") {
  convoke_pool* pool = nullptr;
  REQUIRE(pool_create(3, &pool, nullptr) == CONVOKE_OK);
  pool_enter(pool);
  for (int milliseconds : {0, 1, 5}) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    check_forks(pool, 3, 1, 12);
  }
  pool_leave(pool);
  pool_destroy(pool);
}

TEST_CASE("callers that share a pool: the busy one is told so, nobody loses a task") {
  convoke_pool* pool = nullptr;
  REQUIRE(pool_create(3, &pool, nullptr) == CONVOKE_OK);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int f = 0; f < 500; ++f) {
        Marks marks{std::vector<int>(9), {}};
        int result = 0;
        if (!pool_run(pool, 3, 9, mark, &marks, &result)) continue;
        for (int times : marks.times) wrong += times != 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
  pool_destroy(pool);
}

TEST_CASE("a task's error is the fork's result") {
  convoke_pool* pool = nullptr;
  REQUIRE(pool_create(2, &pool, nullptr) == CONVOKE_OK);
  int result = 0;
  REQUIRE(pool_run(pool, 2, 8, fail_at_three, nullptr, &result));
  CHECK(result == -7);
  pool_destroy(pool);
  CHECK(host_run(serial_host, nullptr, 2, 8, fail_at_three, nullptr) == -7);
}

TEST_CASE("the host's threads, in any order, give every task once") {
  for (convoke_parallel_for host : {&serial_host, &threaded_host}) {
    for (int count : {1, 2, 33}) {
      Marks marks{std::vector<int>(static_cast<size_t>(count)), {}};
      CHECK(host_run(host, nullptr, 3, count, mark, &marks) == 0);
      for (int times : marks.times) CHECK(times == 1);
      CHECK(marks.highest_worker < 3);
    }
  }
}

TEST_CASE("a pool of one never forks; odd sizes are refused") {
  convoke_pool* pool = nullptr;
  convoke_error error = {};
  REQUIRE(pool_create(1, &pool, &error) == CONVOKE_OK);
  int result = 0;
  CHECK_FALSE(pool_run(pool, 4, 8, fail_at_three, nullptr, &result));
  pool_destroy(pool);
  CHECK(pool_create(65, &pool, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(std::string(error.message) == "pool_create: threads is 65, expected 1 to 64");
  CHECK(pool == nullptr);
}
