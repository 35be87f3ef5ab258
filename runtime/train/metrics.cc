#include "runtime/train/metrics.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <sstream>

#include "runtime/io/table.h"

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

std::string percent(double fraction) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", 100 * fraction);
  return text;
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
  std::vector<TableRow> rows = {{"class", "samples", "recall", "precision", "most often taken for"}};
  for (const ClassMetrics& row : class_metrics(evaluation)) {
    rows.push_back(
        {row.name, std::to_string(row.samples), percent(row.recall), percent(row.precision), row.confused_with});
  }
  return format_table("lrrrl", rows);
}

std::string format_confusion_table(const Evaluation& evaluation) {
  std::vector<TableRow> rows = {{"true \\ predicted"}};
  for (int64_t c = 0; c < evaluation.classes(); ++c) rows[0].push_back(std::to_string(c));
  for (int64_t truth = 0; truth < evaluation.classes(); ++truth) {
    TableRow row = {std::to_string(truth) + " " + evaluation.class_names[static_cast<size_t>(truth)]};
    for (int64_t c = 0; c < evaluation.classes(); ++c) {
      const int64_t count = evaluation.at(truth, c);
      row.push_back(count ? std::to_string(count) : "\u00b7");
    }
    rows.push_back(std::move(row));
  }
  return format_table("l" + std::string(static_cast<size_t>(evaluation.classes()), 'r'), rows);
}

}  // namespace convoke
