// Error messages without a C library: `return Message(error, CONVOKE_…) << "n is " << n` writes into the caller's
// convoke_error (or nowhere when it is NULL) and converts to the code.
#pragma once

#include "runtime/core/convoke.h"
#include "runtime/core/libc.h"

namespace convoke::core {

class Message {
 public:
  Message(convoke_error* error, convoke_code code);
  Message& operator<<(const char* text);
  Message& operator<<(int64_t value);
  Message& operator<<(int32_t value) { return *this << static_cast<int64_t>(value); }
  operator int32_t() const { return code_; }  // NOLINT: so that it can be returned

 private:
  void put(char c);

  convoke_error* error_;
  convoke_code code_;
  size_t length_ = 0;
};

inline int32_t succeed(convoke_error* error) {
  if (error) {
    error->code = CONVOKE_OK;
    error->message[0] = 0;
  }
  return CONVOKE_OK;
}

inline bool equal_text(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

}  // namespace convoke::core
