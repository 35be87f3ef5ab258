#include "runtime/train/interrupt.h"

#include <unistd.h>

#include <cstring>

namespace convoke {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

volatile sig_atomic_t interrupt_requested = 0;  // a signal handler has nothing else to write to

void request_interrupt(int) {
  interrupt_requested = 1;
  constexpr char kNotice[] = "\ninterrupted: finishing the step, then saving a checkpoint (again to leave at once)\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kNotice, sizeof kNotice - 1);
}

}  // namespace

InterruptScope::InterruptScope() {
  interrupt_requested = 0;
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
