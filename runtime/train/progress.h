// What a person sees while a run trains, on stderr: a bar that is redrawn on a terminal, one line an epoch elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "runtime/train/metrics.h"

namespace convoke {

enum class ProgressKind { kNone, kLines, kBar };

// kBar if `stream` is a terminal, else kLines.
ProgressKind progress_for(std::FILE* stream);

class Progress {
 public:
  // A run of `epochs` epochs of `samples` training images each.
  Progress(ProgressKind kind, std::FILE* stream, int64_t epochs, int64_t samples);

  void begin_epoch(int64_t epoch);  // from 0
  // `done` images of the epoch, with the means so far.
  void update(int64_t done, double loss, double accuracy);
  void end_epoch(const EpochMetrics& metrics);
  void note(const std::string& line);  // above the bar

 private:
  using Clock = std::chrono::steady_clock;
  void clear_bar();
  double images_per_second(int64_t done) const;

  ProgressKind kind_;
  std::FILE* stream_;
  int64_t epochs_, samples_;
  int64_t epoch_ = 0, first_done_ = -1, last_done_ = 0;
  Clock::time_point first_time_, drawn_;
  bool bar_is_drawn_ = false;
};

}  // namespace convoke
