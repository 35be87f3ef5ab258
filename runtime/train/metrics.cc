#include "runtime/train/metrics.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <sstream>

namespace convoke {
namespace {

constexpr const char* kHeader = "epoch,step,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy";

template <typename Number>
void append(std::string* text, Number value, char end) {
  char digits[32];
  text->append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  *text += end;
}

template <typename Number>
bool take(std::string_view* line, Number* value) {
  const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), *value);
  if (error != std::errc()) return false;
  line->remove_prefix(static_cast<size_t>(end - line->data()));
  if (line->starts_with(',')) line->remove_prefix(1);
  return true;
}

// Columns that a terminal shows for UTF-8 text of one column a character.
size_t columns(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width > columns(text) ? width - columns(text) : 0, ' ');
}

std::string aligned_right(const std::string& text, size_t width) {
  return std::string(width > columns(text) ? width - columns(text) : 0, ' ') + text;
}

std::string percent(double fraction) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", 100 * fraction);
  return text;
}

size_t name_width(const Evaluation& evaluation) {
  size_t width = 5;
  for (const std::string& name : evaluation.class_names) width = std::max(width, columns(name));
  return width;
}

}  // namespace

std::string format_metrics(const std::vector<EpochMetrics>& history) {
  std::string text = std::string(kHeader) + "\n";
  for (const EpochMetrics& row : history) {
    append(&text, row.epoch, ',');
    append(&text, row.step, ',');
    append(&text, row.learning_rate, ',');
    append(&text, row.train_loss, ',');
    append(&text, row.train_accuracy, ',');
    append(&text, row.test_loss, ',');
    append(&text, row.test_accuracy, '\n');
  }
  return text;
}

Result<std::vector<EpochMetrics>> parse_metrics(const std::string& csv, const std::string& where) {
  std::istringstream lines(csv);
  std::string line;
  if (!std::getline(lines, line) || line != kHeader) return data_loss(where + ": not a table of metrics");
  std::vector<EpochMetrics> history;
  while (std::getline(lines, line)) {
    EpochMetrics row;
    std::string_view rest = line;
    const bool complete = take(&rest, &row.epoch) && take(&rest, &row.step) && take(&rest, &row.learning_rate) &&
                          take(&rest, &row.train_loss) && take(&rest, &row.train_accuracy) &&
                          take(&rest, &row.test_loss) && take(&rest, &row.test_accuracy) && rest.empty();
    if (!complete) return data_loss(where + ": metrics line '" + line + "' is not seven numbers");
    history.push_back(row);
  }
  return history;
}

std::vector<ClassMetrics> class_metrics(const Evaluation& evaluation) {
  std::vector<ClassMetrics> rows;
  for (int64_t truth = 0; truth < evaluation.classes(); ++truth) {
    ClassMetrics row{.name = evaluation.class_names[static_cast<size_t>(truth)]};
    int64_t predicted = 0, most = 0;
    for (int64_t other = 0; other < evaluation.classes(); ++other) {
      row.samples += evaluation.at(truth, other);
      predicted += evaluation.at(other, truth);
      if (other != truth && evaluation.at(truth, other) > most) {
        most = evaluation.at(truth, other);
        row.confused_with = evaluation.class_names[static_cast<size_t>(other)];
      }
    }
    const double right = static_cast<double>(evaluation.at(truth, truth));
    if (row.samples > 0) row.recall = right / static_cast<double>(row.samples);
    if (predicted > 0) row.precision = right / static_cast<double>(predicted);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string format_class_table(const Evaluation& evaluation) {
  const size_t width = name_width(evaluation);
  std::string text = padded("class", width) + "  samples  recall  precision  most often taken for\n";
  for (const ClassMetrics& row : class_metrics(evaluation)) {
    text += padded(row.name, width) + "  " + aligned_right(std::to_string(row.samples), 7) + "  " +
            aligned_right(percent(row.recall), 6) + "  " + aligned_right(percent(row.precision), 9) + "  " +
            row.confused_with + "\n";
  }
  return text;
}

std::string format_confusion_table(const Evaluation& evaluation) {
  const size_t names = name_width(evaluation) + 3;  // and the number before it
  size_t cell = 4;
  for (int64_t count : evaluation.confusion) cell = std::max(cell, std::to_string(count).size());
  std::string text = padded("true \\ predicted", std::max<size_t>(names, 16));
  for (int64_t c = 0; c < evaluation.classes(); ++c) text += " " + aligned_right(std::to_string(c), cell);
  text += "\n";
  for (int64_t truth = 0; truth < evaluation.classes(); ++truth) {
    const std::string label = std::to_string(truth) + " " + evaluation.class_names[static_cast<size_t>(truth)];
    text += padded(label, std::max<size_t>(names, 16));
    for (int64_t c = 0; c < evaluation.classes(); ++c) {
      const int64_t count = evaluation.at(truth, c);
      text += " " + aligned_right(count ? std::to_string(count) : "\u00b7", cell);
    }
    text += "\n";
  }
  return text;
}

}  // namespace convoke
