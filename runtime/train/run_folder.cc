#include "runtime/train/run_folder.h"

#include <cstdio>
#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/io/plot.h"
#include "runtime/train/checkpoint.h"

namespace convoke {
namespace {

constexpr const char* kResults[] = {
    "recipe.textproto",
    "metrics.csv",
    "curves.svg",
    "confusion.svg",
    "weights.safetensors",
    "checkpoints/best.safetensors",
    "checkpoints/last.safetensors",
    "checkpoints/next.safetensors",
    "checkpoints/previous.safetensors",
};

// Only files that a run makes: whatever else the user keeps there stays.
Status remove_results(const RunFolder& folder) {
  for (const char* name : kResults) {
    std::error_code error;
    std::filesystem::remove(folder.file(name), error);
    if (error) return unavailable(folder.file(name) + ": cannot remove: " + error.message());
  }
  return ok_status();
}

std::string percent(double fraction) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f%%", 100 * fraction);
  return text;
}

std::vector<Panel> panels(const std::vector<EpochMetrics>& history) {
  Panel loss{"Loss", "epoch", {{"train", {}, {}}, {"test", {}, {}}}, false};
  Panel accuracy{"Accuracy", "epoch", {{"train", {}, {}}, {"test", {}, {}}}, true};
  Panel rate{"Learning rate", "epoch", {{"learning rate", {}, {}}}, false};
  for (const EpochMetrics& row : history) {
    const auto add = [&](Series& series, float value) {
      series.x.push_back(static_cast<double>(row.epoch));
      series.y.push_back(static_cast<double>(value));
    };
    add(loss.series[0], row.train_loss);
    add(loss.series[1], row.test_loss);
    add(accuracy.series[0], row.train_accuracy);
    add(accuracy.series[1], row.test_accuracy);
    add(rate.series[0], row.learning_rate);
  }
  return {loss, accuracy, rate};
}

}  // namespace

Status check_run_start(const RunFolder& folder, RunStart start) {
  const bool begun = has_checkpoint(folder.checkpoints());
  if (start == RunStart::kNew && begun) {
    return failed_precondition(
        folder.path +
        ": a run is there already; go on with --resume, start anew with --overwrite, or choose another --name");
  }
  if (start == RunStart::kResume && !begun) return not_found(folder.path + ": has no checkpoint to resume from");
  return ok_status();
}

Status prepare_run_folder(const RunFolder& folder, RunStart start, const std::string& recipe) {
  if (start == RunStart::kResume) return ok_status();
  RETURN_IF_ERROR(make_directories(folder.checkpoints()));
  if (start == RunStart::kOverwrite) RETURN_IF_ERROR(remove_results(folder));
  return write_file_atomic(folder.file("recipe.textproto"), recipe);
}

Status write_run_results(const RunFolder& folder, const std::string& run_name, const std::vector<EpochMetrics>& history,
                         const Evaluation& evaluation) {
  RETURN_IF_ERROR(write_file_atomic(folder.file("metrics.csv"), format_metrics(history)));
  RETURN_IF_ERROR(write_file_atomic(folder.file("curves.svg"), curves_svg(run_name, panels(history))));
  const std::string title =
      run_name + ": " + percent(evaluation.accuracy) + " of " + std::to_string(evaluation.samples) + " test images";
  return write_file_atomic(folder.file("confusion.svg"),
                           confusion_svg(title, evaluation.class_names, evaluation.confusion));
}

}  // namespace convoke
