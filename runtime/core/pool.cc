// The thread pool. One 64-bit word holds what is left of the current job; the join waits for claimed tasks only, never
// for a helper to notice the job, so a helper that lost its core costs nothing. Caller and helpers take from opposite
// ends: over a network the same thread sees the same part of each tensor, which stays in its L2.
#include "runtime/core/pool.h"

#include "runtime/core/float_mode.h"
#include "runtime/core/libc.h"
#include "runtime/core/memory.h"
#include "runtime/core/message.h"

namespace convoke::core {
namespace {

// A helper without work sleeps after this: waking it may take half a millisecond on a virtual machine. Between the
// kernels of a call it waits longer, where some row runs on the caller alone.
constexpr uint64_t kSpinNs = 50000, kSpinInCallNs = 2000000;
constexpr int kMaxTickets = 65535;  // 16 bits; longer jobs are cut into tickets of several tasks

// Fields of the word, from the top: generation 26 | threads-1 6 | next from below 16 | end above 16. A claim that
// succeeds proves that the job is the current one and not yet joined, so its fields may be read after it.
constexpr int kBelowShift = 16, kThreadsShift = 32, kGenerationShift = 38;
constexpr uint32_t below(uint64_t word) { return (word >> kBelowShift) & 0xffff; }
constexpr uint32_t above(uint64_t word) { return word & 0xffff; }
constexpr int threads_of(uint64_t word) { return static_cast<int>((word >> kThreadsShift) & 63) + 1; }

struct Job {
  PoolTask task;
  void* argument;
  int count;
  int grain;  // tasks of a ticket
  uint32_t tickets;
};

struct alignas(128) Helper {
  unsigned long thread;
  convoke_pool* pool;
  int index;
  uint32_t asleep;  // futex; 1 while it sleeps or is about to
};

}  // namespace
}  // namespace convoke::core

struct convoke_pool {
  alignas(128) uint64_t word;
  alignas(128) uint32_t done;  // tickets
  int failure;
  alignas(128) uint32_t busy;  // 1 while a caller owns the pool
  uint32_t stop;
  int threads;
  uint32_t calls;  // under way
  convoke::core::Job job;
  convoke::core::Helper helpers[convoke::core::kMaxThreads];  // from 1
};

namespace convoke::core {
namespace {

void run_ticket(const Job& job, int worker, uint32_t ticket, int* failure) {
  const int begin = static_cast<int>(ticket) * job.grain;
  const int end = min_of(begin + job.grain, job.count);
  for (int i = begin; i < end; ++i) {
    if (int result = job.task(job.argument, worker, i)) __atomic_store_n(failure, result, __ATOMIC_RELAXED);
  }
}

// Claims one ticket of the job in `word` and runs it; false when there is none for this worker.
bool run_one(uint64_t* word, const Job& job, int worker, uint32_t* done, int* failure) {
  uint64_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
  for (;;) {
    if (below(seen) >= above(seen) || worker >= threads_of(seen)) return false;
    const uint64_t next = worker == 0 ? seen + (1u << kBelowShift) : seen - 1;
    if (__atomic_compare_exchange_n(word, &seen, next, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) break;
  }
  run_ticket(job, worker, worker == 0 ? below(seen) : above(seen) - 1, failure);
  __atomic_fetch_add(done, 1, __ATOMIC_RELEASE);
  return true;
}

// Waits for claimed tickets; after a while gives the core away, since their owners may need it.
void join(const uint32_t* done, uint32_t tickets) {
  for (int spins = 0; __atomic_load_n(done, __ATOMIC_ACQUIRE) != tickets; ++spins) {
    if (spins < 2000)
      cpu_pause();
    else
      sched_yield();
  }
}

bool has_work(const convoke_pool* pool, int index) {
  const uint64_t word = __atomic_load_n(&pool->word, __ATOMIC_SEQ_CST);
  return (below(word) < above(word) && index < threads_of(word)) || __atomic_load_n(&pool->stop, __ATOMIC_SEQ_CST);
}

// True when it slept.
bool wake(Helper* helper) {
  if (!__atomic_load_n(&helper->asleep, __ATOMIC_SEQ_CST)) return false;
  if (!__atomic_exchange_n(&helper->asleep, 0, __ATOMIC_SEQ_CST)) return false;
  futex_wake(&helper->asleep, 1);
  return true;
}

// Wakes one helper that the job could use, from `first` on; woken, it wakes the next. A wake-up costs microseconds, so
// the caller pays for one only.
void wake_next(convoke_pool* pool, int first) {
  const uint64_t word = __atomic_load_n(&pool->word, __ATOMIC_SEQ_CST);
  if (below(word) >= above(word)) return;
  for (int i = first; i < threads_of(word); ++i) {
    if (wake(&pool->helpers[i])) return;
  }
}

uint64_t spin_ns(const convoke_pool* pool) {
  return __atomic_load_n(&pool->calls, __ATOMIC_RELAXED) ? kSpinInCallNs : kSpinNs;
}

// Spins for a while, then sleeps until there is work. `asleep` is set before the last look, and a caller looks at
// `asleep` after it published a job (both sequentially consistent), so no wake-up is lost.
void wait_for_work(convoke_pool* pool, Helper* helper) {
  const uint64_t start = now_ns();
  do {
    for (int i = 0; i < 32; ++i) {
      if (has_work(pool, helper->index)) return;
      cpu_pause();
    }
  } while (now_ns() - start < spin_ns(pool));
  __atomic_store_n(&helper->asleep, 1, __ATOMIC_SEQ_CST);
  while (!has_work(pool, helper->index) && __atomic_load_n(&helper->asleep, __ATOMIC_SEQ_CST)) {
    futex_wait(&helper->asleep, 1);
  }
  __atomic_store_n(&helper->asleep, 0, __ATOMIC_SEQ_CST);
  wake_next(pool, helper->index + 1);
}

void* helper_main(void* argument) {
  Helper* helper = static_cast<Helper*>(argument);
  convoke_pool* pool = helper->pool;
  write_float_mode(kFloatMode);
  while (!__atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE)) {
    if (!run_one(&pool->word, pool->job, helper->index, &pool->done, &pool->failure)) wait_for_work(pool, helper);
  }
  return nullptr;
}

Job make_job(int count, PoolTask task, void* argument) {
  const int grain = (count - 1) / kMaxTickets + 1;
  return {task, argument, count, grain, static_cast<uint32_t>((count - 1) / grain + 1)};
}

uint64_t job_word(uint64_t generation, int threads, uint32_t tickets) {
  return generation << kGenerationShift | static_cast<uint64_t>(threads - 1) << kThreadsShift | tickets;
}

// Starts helpers with all signals blocked: those are the host's business.
int start_helpers(convoke_pool* pool) {
  constexpr int kSetMask = 2;
  uint64_t all = ~uint64_t{0}, saved = 0;
  syscall(kSysSigprocmask, kSetMask, &all, &saved, sizeof all);
  int started = 1;
  for (; started < pool->threads; ++started) {
    Helper& helper = pool->helpers[started];
    helper.pool = pool;
    helper.index = started;
    if (pthread_create(&helper.thread, nullptr, helper_main, &helper)) break;
  }
  syscall(kSysSigprocmask, kSetMask, &saved, nullptr, sizeof saved);
  return started;
}

}  // namespace

void pool_enter(convoke_pool* pool) { __atomic_fetch_add(&pool->calls, 1, __ATOMIC_RELAXED); }
void pool_leave(convoke_pool* pool) { __atomic_fetch_sub(&pool->calls, 1, __ATOMIC_RELAXED); }

bool pool_run(convoke_pool* pool, int threads, int count, PoolTask task, void* argument, int* result) {
  threads = min_of(threads, pool->threads);
  if (threads < 2 || __atomic_exchange_n(&pool->busy, 1, __ATOMIC_ACQUIRE)) return false;
  pool->job = make_job(count, task, argument);
  __atomic_store_n(&pool->failure, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
  const uint64_t generation = (__atomic_load_n(&pool->word, __ATOMIC_RELAXED) >> kGenerationShift) + 1;
  __atomic_store_n(&pool->word, job_word(generation, threads, pool->job.tickets), __ATOMIC_SEQ_CST);
  if (pool->job.tickets > 1) wake_next(pool, 1);
  while (run_one(&pool->word, pool->job, 0, &pool->done, &pool->failure)) {
  }
  join(&pool->done, pool->job.tickets);
  *result = __atomic_load_n(&pool->failure, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->busy, 0, __ATOMIC_RELEASE);
  return true;
}

namespace {

struct HostJob {
  Job job;
  uint64_t word;
  uint32_t done;
  int failure;
};

void host_lane(void* argument, int32_t lane) {
  HostJob* host = static_cast<HostJob*>(argument);
  FloatMode mode;
  while (run_one(&host->word, host->job, lane, &host->done, &host->failure)) {
  }
}

}  // namespace

int host_run(convoke_parallel_for parallel_for, void* host, int threads, int count, PoolTask task, void* argument) {
  HostJob job{make_job(count, task, argument), 0, 0, 0};
  job.word = job_word(0, threads, job.job.tickets);
  parallel_for(host, static_cast<int32_t>(min_of(static_cast<uint32_t>(threads), job.job.tickets)), host_lane, &job);
  return job.failure;
}

int pool_threads(const convoke_pool* pool) { return pool->threads; }

int32_t pool_create(int32_t threads, convoke_pool** pool, convoke_error* error) {
  if (!pool) return Message(error, CONVOKE_INVALID_ARGUMENT) << "pool_create: pool is NULL";
  *pool = nullptr;
  if (threads < 1 || threads > kMaxThreads) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "pool_create: threads is " << threads << ", expected 1 to 64";
  }
  void* memory = map_memory(sizeof(convoke_pool));
  if (!memory) return Message(error, CONVOKE_OUT_OF_MEMORY) << "pool_create: no memory";
  convoke_pool* made = static_cast<convoke_pool*>(memory);
  made->threads = threads;
  const int started = start_helpers(made);
  if (started < threads) {
    made->threads = started;
    pool_destroy(made);
    return Message(error, CONVOKE_OUT_OF_MEMORY)
           << "pool_create: the system refused thread " << started + 1 << " of " << threads;
  }
  *pool = made;
  return succeed(error);
}

void pool_destroy(convoke_pool* pool) {
  if (!pool) return;
  __atomic_store_n(&pool->stop, 1, __ATOMIC_SEQ_CST);
  for (int i = 1; i < pool->threads; ++i) wake(&pool->helpers[i]);
  for (int i = 1; i < pool->threads; ++i) pthread_join(pool->helpers[i].thread, nullptr);
  unmap_memory(pool, sizeof(convoke_pool));
}

}  // namespace convoke::core
