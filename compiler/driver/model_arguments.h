// The arguments by which verbs say what is compiled, and how.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "compiler/driver/compile_model.h"
#include "runtime/train/recipe.h"

namespace convoke {

// As they stand on the command line; resolve() makes options of them.
struct ModelArguments {
  std::string model;
  std::string recipe;
  std::string input;  // CxHxW
  int64_t classes = 0;
  int64_t batch = 0;  // 0: by the verb
  std::string target;
  std::string tuned;
  bool strict = false;
  std::vector<std::string> freeze;
  std::string keep;
};

// --input --classes --target.
void add_input_arguments(CLI::App& app, ModelArguments& arguments);
// MODEL beside them.
void add_model_arguments(CLI::App& app, ModelArguments& arguments);
// --recipe --batch --tuned --strict --freeze --keep beside them.
void add_compile_arguments(CLI::App& app, ModelArguments& arguments);

// Command line over recipe over defaults; `batch` where none is said.
Result<ModelOptions> resolve(const ModelArguments& arguments, int64_t batch);

// What a recipe compiles: its model for its data and its optimizer.
ModelOptions model_options(const Recipe& recipe);

// read_recipe with its diagnostics as a Status.
Result<Recipe> load_recipe(const std::string& path);

}  // namespace convoke
