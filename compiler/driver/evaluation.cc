#include "compiler/driver/evaluation.h"

#include <fmt/format.h>

#include <cmath>

namespace convoke {

Json evaluation_json(const Evaluation& evaluation) {
  Json classes = Json::array();
  for (const ClassMetrics& row : class_metrics(evaluation)) {
    classes.push_back({{"name", row.name},
                       {"samples", row.samples},
                       {"recall", row.recall},
                       {"precision", row.precision},
                       {"most_confused_with", row.confused_with}});
  }
  Json confusion = Json::array();
  for (int64_t truth = 0; truth < evaluation.classes(); ++truth) {
    Json row = Json::array();
    for (int64_t predicted = 0; predicted < evaluation.classes(); ++predicted) {
      row.push_back(evaluation.at(truth, predicted));
    }
    confusion.push_back(std::move(row));
  }
  return {{"samples", evaluation.samples}, {"accuracy", evaluation.accuracy},
          {"loss", evaluation.loss},       {"images_per_second", evaluation.images_per_second},
          {"classes", std::move(classes)}, {"confusion", std::move(confusion)}};
}

void print_evaluation(const Evaluation& evaluation) {
  fmt::print("test accuracy {:.4f} ({} of {} images), loss {:.4f}\n\n{}\n{}", evaluation.accuracy,
             std::llround(evaluation.accuracy * static_cast<double>(evaluation.samples)), evaluation.samples,
             evaluation.loss, format_class_table(evaluation), format_confusion_table(evaluation));
}

}  // namespace convoke
