// What a run reports: numbers of each epoch and of an evaluation, as plain data and as text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

// f32, whose shortest decimal text reads back to the same value: metrics.csv of a resumed run equals that of one that
// was never interrupted. For the same reason no times are in it.
struct EpochMetrics {
  int64_t epoch = 0;        // from 1
  int64_t step = 0;         // steps done when it ended
  float learning_rate = 0;  // of its last step
  float train_loss = 0;     // means over the epoch's samples, as they were trained on
  float train_accuracy = 0;
  float test_loss = 0;
  float test_accuracy = 0;
};

std::string format_metrics(const std::vector<EpochMetrics>& history);  // CSV with a header line
Result<std::vector<EpochMetrics>> parse_metrics(const std::string& csv, const std::string& where);

// Of a labelled data set.
struct Evaluation {
  int64_t samples = 0;
  double accuracy = 0;  // of the first output; the first maximum wins
  double loss = 0;      // mean cross entropy of the first output's logits
  std::vector<std::string> class_names;
  std::vector<int64_t> confusion;  // [true class][predicted class], square
  double seconds = 0, images_per_second = 0;

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
  int64_t at(int64_t truth, int64_t predicted) const {
    return confusion[static_cast<size_t>(truth * classes() + predicted)];
  }
};

struct ClassMetrics {
  std::string name;
  int64_t samples = 0;
  double recall = 0, precision = 0;  // 0 when there is nothing to divide by
  std::string confused_with;         // the commonest wrong answer, "" if none
};
std::vector<ClassMetrics> class_metrics(const Evaluation& evaluation);

// For a terminal: one row a class with recall, precision and what it is taken for; and the confusion matrix, rows true.
std::string format_class_table(const Evaluation& evaluation);
std::string format_confusion_table(const Evaluation& evaluation);

}  // namespace convoke
