// The C library as the core uses it, declared here because the core is compiled for targets without a sysroot. Linux
// numbers and flags; x86-64 and aarch64. Everything exists in glibc 2.34: codegen's stub libc lists the same names.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {
void* mmap(void* address, size_t length, int protection, int flags, int file, long offset);
int munmap(void* address, size_t length);
int madvise(void* address, size_t length, int advice);
void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
int pthread_create(unsigned long* __restrict thread, const void* __restrict attributes, void* (*start)(void*),
                   void* __restrict argument);
int pthread_join(unsigned long thread, void** result);
long syscall(long number, ...);
unsigned long getauxval(unsigned long type);
int sched_yield();
int open(const char* path, int flags, ...);
int close(int file);
long lseek(int file, long offset, int from);
long pread(int file, void* to, size_t bytes, long offset);
long write(int file, const void* from, size_t bytes);
int fsync(int file);
int rename(const char* from, const char* to);
int unlink(const char* path);
char* strerror(int error);
int* __errno_location();
int getpid();
int snprintf(char* to, size_t bytes, const char* format, ...) __attribute__((format(printf, 3, 4)));
int clock_gettime(int clock, struct timespec* time);
}

struct timespec {
  int64_t tv_sec;
  int64_t tv_nsec;
};

namespace convoke::core {

#if defined(__x86_64__)
constexpr long kSysFutex = 202, kSysSigprocmask = 14;
#elif defined(__aarch64__)
constexpr long kSysFutex = 98, kSysSigprocmask = 135;
#else
#error "the core knows x86-64 and aarch64"
#endif

constexpr int kFutexWaitPrivate = 128, kFutexWakePrivate = 129;

inline void futex_wait(uint32_t* word, uint32_t expected) {
  syscall(kSysFutex, word, kFutexWaitPrivate, expected, nullptr, nullptr, 0);
}
inline void futex_wake(uint32_t* word, int count) {
  syscall(kSysFutex, word, kFutexWakePrivate, count, nullptr, nullptr, 0);
}

inline uint64_t now_ns() {
  constexpr int kMonotonic = 1;
  timespec time;
  clock_gettime(kMonotonic, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

inline void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("yield");
#endif
}

template <class T>
constexpr T min_of(T a, T b) {
  return a < b ? a : b;
}
template <class T>
constexpr T max_of(T a, T b) {
  return a < b ? b : a;
}
constexpr uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace convoke::core
