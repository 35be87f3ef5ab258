#include "runtime/train/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace convoke {
namespace {

constexpr std::chrono::milliseconds kRedraw(100);
constexpr int kBarWidth = 24;

// In eighths of a column: U+258F (one eighth) to U+2588 (full).
std::string bar_text(double fraction) {
  const int eighths = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kBarWidth * 8);
  std::string text;
  for (int column = 0; column < kBarWidth; ++column) {
    const int filled = std::clamp(eighths - 8 * column, 0, 8);
    if (filled == 0) {
      text += ' ';
    } else {
      text += {'\xe2', '\x96', static_cast<char>(0x90 - filled)};
    }
  }
  return text;
}

std::string duration_text(double seconds) {
  const int64_t whole = std::isfinite(seconds) ? static_cast<int64_t>(std::min(std::ceil(seconds), 359999.0)) : 0;
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%d:%02d:%02d", int(whole / 3600), int(whole / 60 % 60), int(whole % 60));
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", int(whole / 60), int(whole % 60));
  }
  return text;
}

}  // namespace

ProgressKind progress_for(std::FILE* stream) {
  return ::isatty(::fileno(stream)) ? ProgressKind::kBar : ProgressKind::kLines;
}

Progress::Progress(ProgressKind kind, std::FILE* stream, int64_t epochs, int64_t samples)
    : kind_(kind), stream_(stream), epochs_(epochs), samples_(samples) {}

void Progress::begin_epoch(int64_t epoch) {
  epoch_ = epoch;
  first_done_ = -1;
  drawn_ = {};
}

// Since the first update of this epoch: what was done before it (another run, the start) has no time here.
double Progress::images_per_second(int64_t done) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - first_time_).count();
  return seconds > 0 && done > first_done_ ? static_cast<double>(done - first_done_) / seconds : 0;
}

void Progress::update(int64_t done, double loss, double accuracy) {
  const Clock::time_point now = Clock::now();
  if (first_done_ < 0) {
    first_done_ = done;
    first_time_ = now;
  }
  last_done_ = done;
  if (kind_ != ProgressKind::kBar || (now - drawn_ < kRedraw && done < samples_)) return;
  drawn_ = now;
  const double rate = images_per_second(done);
  const double left = static_cast<double>((epochs_ - epoch_) * samples_ - done);
  clear_bar();
  std::fprintf(stream_,
               "epoch %d/%d \xe2\x96\x95%s\xe2\x96\x8f %3d%%  loss %.4f  accuracy %.4f  %.0f images/s  %s left",
               int(epoch_ + 1), int(epochs_), bar_text(double(done) / double(samples_)).c_str(),
               int(100 * done / samples_), loss, accuracy, rate, rate > 0 ? duration_text(left / rate).c_str() : "-");
  std::fflush(stream_);
  bar_is_drawn_ = true;
}

void Progress::end_epoch(const EpochMetrics& metrics) {
  if (kind_ == ProgressKind::kNone) return;
  const double rate = first_done_ >= 0 ? images_per_second(last_done_) : 0;
  clear_bar();
  std::fprintf(stream_, "epoch %d/%d  loss %.4f  accuracy %.4f  test loss %.4f  test accuracy %.4f  %.0f images/s\n",
               int(metrics.epoch), int(epochs_), double(metrics.train_loss), double(metrics.train_accuracy),
               double(metrics.test_loss), double(metrics.test_accuracy), rate);
  std::fflush(stream_);
}

void Progress::note(const std::string& line) {
  if (kind_ == ProgressKind::kNone) return;
  clear_bar();
  std::fprintf(stream_, "%s\n", line.c_str());
  std::fflush(stream_);
}

void Progress::clear_bar() {
  if (bar_is_drawn_) std::fputs("\r\x1b[K", stream_);
  bar_is_drawn_ = false;
}

}  // namespace convoke
