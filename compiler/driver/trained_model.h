// A library with its weights: from a run folder, or from the two files.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "runtime/data/dataset.h"
#include "runtime/train/library.h"
#include "runtime/train/recipe.h"

namespace convoke {

struct TrainedArguments {
  std::string path;     // runs/<name>, or a library
  std::string weights;  // default: the run's
  std::string recipe;   // default: the run's
  int32_t threads = 0;  // 0: one a core
};
void add_trained_arguments(CLI::App& app, TrainedArguments& arguments);

struct TrainedModel {
  Library library;
  Weights weights;
  std::string weights_path;
  std::optional<Recipe> recipe;
};
Result<TrainedModel> open_trained(const TrainedArguments& arguments);

// The recipe's test set; an error says how to name a recipe when there is none.
Result<Dataset> read_test_set(const TrainedModel& model);
Result<Dataset> read_training_set(const Recipe& recipe);

// Where `train` puts a run's library: <folder>/<model>.so.
Result<std::string> find_library(const std::string& folder);

}  // namespace convoke
