#include "runtime/train/interrupt.h"

#include <unistd.h>

#include <cstring>

namespace convoke {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

// A signal handler has nothing else to write to, and to read.
volatile sig_atomic_t interrupt_requested = 0;
const char* interrupt_notice = "";

void request_interrupt(int) {
  interrupt_requested = 1;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, interrupt_notice, std::strlen(interrupt_notice));
}

}  // namespace

InterruptScope::InterruptScope(const char* notice) {
  interrupt_requested = 0;
  interrupt_notice = notice;
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = request_interrupt;
  // RESETHAND: the second signal finds the default, which ends the process. RESTART: no call of ours sees EINTR.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (int i = 0; i < 2; ++i) ::sigaction(kSignals[i], &action, &previous_[i]);
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < 2; ++i) ::sigaction(kSignals[i], &previous_[i], nullptr);
}

bool InterruptScope::requested() const { return interrupt_requested != 0; }

}  // namespace convoke
