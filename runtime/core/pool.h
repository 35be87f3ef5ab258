// Fork-join over a bounded-spin pool. The structures are shared by all libraries of one ABI version (a pool that one
// library made runs tasks of another), so they are part of the ABI.
#pragma once

#include <stdint.h>

#include "runtime/core/convoke.h"

namespace convoke::core {

constexpr int kMaxThreads = 64;

// Runs task `index` on worker `worker` (0: the caller). A result other than 0 is an error; the first seen is returned.
typedef int (*PoolTask)(void* argument, int worker, int index);

// Around a call that may run several jobs: helpers stay awake in between.
void pool_enter(convoke_pool* pool);
void pool_leave(convoke_pool* pool);

// Calls task for every index in [0, count), the caller from below, helpers 1 … threads-1 from above. False: the pool is
// busy with another caller's job (or alone) and nothing was done.
bool pool_run(convoke_pool* pool, int threads, int count, PoolTask task, void* argument, int* result);

// The same over the host's threads: each of `threads` lanes takes the worker of its number.
int host_run(convoke_parallel_for parallel_for, void* host, int threads, int count, PoolTask task, void* argument);

int32_t pool_create(int32_t threads, convoke_pool** pool, convoke_error* error);
void pool_destroy(convoke_pool* pool);
int pool_threads(const convoke_pool* pool);

}  // namespace convoke::core
