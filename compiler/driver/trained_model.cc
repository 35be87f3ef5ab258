#include "compiler/driver/trained_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/driver/model_arguments.h"
#include "runtime/train/trainer.h"
#include "runtime/train/weights_file.h"

namespace convoke {
namespace {

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// Of the end of the run; of a run that was interrupted, the best so far, else the last step's.
Result<std::string> find_weights(const RunFolder& folder) {
  for (const std::string& path :
       {folder.weights(), folder.best_weights(), folder.checkpoints() + "/last.safetensors"}) {
    if (exists(path)) return path;
  }
  return not_found(folder.path + ": no weights there; name a file with --weights");
}

}  // namespace

void add_trained_arguments(CLI::App& app, TrainedArguments& arguments) {
  app.add_option("run", arguments.path, "Run folder that `convoke train` made, or a library (.so)")->required();
  app.add_option("--weights", arguments.weights, "Weights (.safetensors) instead of the run's")->type_name("FILE");
  app.add_option("--recipe", arguments.recipe, "Recipe that names the data, instead of the run's")->type_name("FILE");
  app.add_option("--threads", arguments.threads, "Threads; default: one a core")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
}

Result<std::string> find_library(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".so") found.push_back(entry.path());
  }
  if (found.size() == 1) return found[0];
  return not_found(fmt::format("{}: {} libraries there, expected one (is it a folder that `convoke train` made?)",
                               folder, found.size()));
}

Result<TrainedModel> open_trained(const TrainedArguments& arguments) {
  std::error_code error;
  const bool is_run = std::filesystem::is_directory(arguments.path, error);
  if (!is_run && !exists(arguments.path)) {
    return not_found(arguments.path + ": no such run folder or library; `convoke train RECIPE` makes runs/<name>");
  }
  std::string library_path = arguments.path, weights_path = arguments.weights, recipe_path = arguments.recipe;
  if (is_run) {
    const RunFolder folder{arguments.path};
    ASSIGN_OR_RETURN(library_path, find_library(folder.path));
    if (weights_path.empty()) {
      ASSIGN_OR_RETURN(weights_path, find_weights(folder));
    }
    if (recipe_path.empty()) recipe_path = folder.file("recipe.textproto");
  } else if (weights_path.empty()) {
    return invalid_argument(arguments.path + ": a library has no weights; name a file with --weights");
  }
  ASSIGN_OR_RETURN(Library library, Library::open(library_path));
  ASSIGN_OR_RETURN(Weights weights, create_weights(library));
  RETURN_IF_ERROR(load_weights(library, weights.get(), weights_path));
  TrainedModel model{std::move(library), std::move(weights), weights_path, {}};
  if (!recipe_path.empty()) {
    ASSIGN_OR_RETURN(model.recipe, load_recipe(recipe_path));
  }
  return model;
}

Result<Dataset> read_test_set(const TrainedModel& model) {
  if (!model.recipe) return invalid_argument("no data set; name a recipe with --recipe");
  const DatasetRecipe& data = model.recipe->dataset;
  return read_idx(data.test_images, data.test_labels, data.class_names);
}

Result<Dataset> read_training_set(const Recipe& recipe) {
  return read_idx(recipe.dataset.train_images, recipe.dataset.train_labels, recipe.dataset.class_names);
}

}  // namespace convoke
