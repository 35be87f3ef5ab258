#include "compiler/codegen/child.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

namespace convoke {
namespace {

struct Child {
  int job;
  pid_t pid;
  int result;  // read end of the pipe; its end of file says that the child is done
  int stderr_file;
  std::string bytes;  // so far: the code, then the value or the message
};

bool write_all(int file, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(file, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

[[noreturn]] void be_child(int result_pipe, int stderr_file, int job,
                           const std::function<Result<std::string>(int)>& work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would read the answer
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGINT, SIGTERM, SIGPIPE}) signal(number, SIG_DFL);
  if (stderr_file >= 0) dup2(stderr_file, STDERR_FILENO);
  const Result<std::string> result = work(job);
  const char code = static_cast<char>(result.status().code());
  const std::string& text = result.ok() ? result.value() : result.status().message();
  const bool written = write_all(result_pipe, &code, 1) && write_all(result_pipe, text.data(), text.size());
  _exit(written ? 0 : 1);  // without the parent's destructors and buffers
}

Result<Child> start_child(int job, const std::function<Result<std::string>(int)>& work) {
  int ends[2];
  if (pipe(ends) != 0) return unavailable(std::string("no pipe for a child process: ") + std::strerror(errno));
  const int stderr_file = memfd_create("convoke-child", MFD_CLOEXEC);
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    be_child(ends[1], stderr_file, job, work);
  }
  const int fork_error = errno;
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    close(stderr_file);
    return unavailable(std::string("cannot start a child process: ") + std::strerror(fork_error));
  }
  return Child{job, pid, ends[0], stderr_file, {}};
}

// The first lines, where an assertion's text stands; LLVM's stack dump follows.
std::string first_words(int file) {
  char text[600];
  const ssize_t size = pread(file, text, sizeof text, 0);
  std::string words(text, size > 0 ? static_cast<size_t>(size) : 0);
  words.resize(std::min(words.find("PLEASE submit a bug report"), words.size()));
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

Result<std::string> finish(Child& child) {
  close(child.result);
  int state = 0;
  while (waitpid(child.pid, &state, 0) < 0 && errno == EINTR) {
  }
  const std::string words = first_words(child.stderr_file);
  close(child.stderr_file);
  if (WIFSIGNALED(state)) {
    return internal_error(std::string("the compiling process ended with ") + strsignal(WTERMSIG(state)) +
                          (words.empty() ? "" : ": " + words));
  }
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0 || child.bytes.empty()) {
    return internal_error("the compiling process ended early" + (words.empty() ? "" : ": " + words));
  }
  const Code code = static_cast<Code>(child.bytes[0]);
  child.bytes.erase(0, 1);
  if (code == Code::kOk) return std::move(child.bytes);
  return Status(code, std::move(child.bytes));
}

// Reads what is there; false at the end.
bool read_some(Child& child) {
  char chunk[65536];
  const ssize_t size = read(child.result, chunk, sizeof chunk);
  if (size < 0) return errno == EINTR;
  child.bytes.append(chunk, static_cast<size_t>(size));
  return size > 0;
}

}  // namespace

void run_in_children(int count, int workers, const std::function<Result<std::string>(int)>& job,
                     const std::function<void(int, Result<std::string>)>& done) {
  const size_t at_once = workers > 0 ? workers : std::max<long>(1, sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<Child> running;
  int next = 0;
  while (next < count || !running.empty()) {
    while (next < count && running.size() < at_once) {
      Result<Child> child = start_child(next, job);
      if (child.ok()) {
        running.push_back(std::move(child).value());
      } else {
        done(next, child.status());
      }
      ++next;
    }
    std::vector<pollfd> files;
    for (const Child& child : running) files.push_back({child.result, POLLIN, 0});
    if (poll(files.data(), files.size(), -1) < 0) continue;
    for (size_t i = running.size(); i-- > 0;) {
      if (files[i].revents == 0 || read_some(running[i])) continue;
      Child ended = std::move(running[i]);
      running.erase(running.begin() + static_cast<ptrdiff_t>(i));
      done(ended.job, finish(ended));
    }
  }
}

Result<std::string> run_in_child(const std::function<Result<std::string>()>& job) {
  Result<std::string> answer = internal_error("no child ran");
  run_in_children(
      1, 1, [&](int) { return job(); }, [&](int, Result<std::string> result) { answer = std::move(result); });
  return answer;
}

}  // namespace convoke
