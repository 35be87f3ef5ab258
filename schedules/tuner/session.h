// A library of a single kernel (workbench.h), opened with the operands that all schedules get: to be called and timed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/train/library.h"
#include "schedules/tuner/workbench.h"

namespace convoke {

struct Subject {
  const Kernel* kernel;
  std::string library;  // path
  int64_t n = 1;
  int threads = 1;
  int copies = 1;  // of the workbench
};

class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const Subject& subject);

  Result<double> call(void* const* outputs = nullptr);  // nanoseconds of the kernel, a copy
  Result<std::vector<float>> outputs();                 // a call's: logical order, one after the other

 private:
  Session(const Subject& subject, Library library, Weights weights)
      : subject_(subject), library_(std::move(library)), weights_(std::move(weights)) {}

  const convoke_library& table() const { return library_.table(); }
  Status set_operands();

  Subject subject_;
  Library library_;
  Weights weights_;
  Context context_;
  std::vector<std::vector<uint8_t>> inputs_;
  std::vector<const void*> pointers_;
};

}  // namespace convoke
