// What convoke-run uses of the C library beside what the core does, and how the program ends on an error.
#pragma once

#include "runtime/core/libc.h"

extern "C" {
void* dlopen(const char* path, int mode);
void* dlsym(void* library, const char* name);
char* dlerror();
long read(int file, void* to, size_t bytes);
void* malloc(size_t bytes);
int memcmp(const void* a, const void* b, size_t bytes);
size_t strlen(const char* text);
int strcmp(const char* a, const char* b);
char* strrchr(const char* text, int c);
double strtod(const char* text, char** end);
long strtol(const char* text, char** end, int base);
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
