// The C library as convoke-run uses it, declared for targets without a sysroot, and how the program ends on an error.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {
void* dlopen(const char* path, int mode);
void* dlsym(void* library, const char* name);
char* dlerror();
int open(const char* path, int flags, ...);
int close(int file);
long read(int file, void* to, size_t bytes);
long write(int file, const void* from, size_t bytes);
long lseek(int file, long offset, int from);
void* malloc(size_t bytes);
void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes);
int memcmp(const void* a, const void* b, size_t bytes);
size_t strlen(const char* text);
int strcmp(const char* a, const char* b);
char* strrchr(const char* text, int c);
double strtod(const char* text, char** end);
long strtol(const char* text, char** end, int base);
int snprintf(char* to, size_t bytes, const char* format, ...) __attribute__((format(printf, 3, 4)));
[[noreturn]] void exit(int code);
}

namespace convoke::run {

// Ends the process with code 1 and "convoke-run: <message>" on stderr.
template <class... T>
[[noreturn]] void fail(const char* format, T... values) {
  char text[1024];
  int length = snprintf(text, sizeof text, "convoke-run: ");
  if constexpr (sizeof...(T) == 0) {
    length += snprintf(text + length, sizeof text - static_cast<size_t>(length), "%s", format);
  } else {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    length += snprintf(text + length, sizeof text - static_cast<size_t>(length), format, values...);
#pragma GCC diagnostic pop
  }
  if (length > static_cast<int>(sizeof text) - 2) length = static_cast<int>(sizeof text) - 2;
  text[length++] = '\n';
  (void)!write(2, text, static_cast<size_t>(length));
  exit(1);
}

// A line on stdout.
template <class... T>
void print(const char* format, T... values) {
  char text[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  int length = snprintf(text, sizeof text - 1, format, values...);
#pragma GCC diagnostic pop
  if (length > static_cast<int>(sizeof text) - 2) length = static_cast<int>(sizeof text) - 2;
  text[length++] = '\n';
  (void)!write(1, text, static_cast<size_t>(length));
}

// malloc that ends the process when there is no memory. convoke-run is one command: nothing is freed.
template <class T>
T* allocate(int64_t count) {
  void* memory = malloc(static_cast<size_t>(count > 0 ? count : 1) * sizeof(T));
  if (!memory) fail("no memory for %lld elements", static_cast<long long>(count));
  return static_cast<T*>(memory);
}

}  // namespace convoke::run
