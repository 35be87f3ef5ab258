#include "compiler/driver/model_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/frontend/recipe.h"

namespace convoke {
namespace {

// "1x28x28": channels, height, width, as PyTorch orders them.
Status parse_input(const std::string& text, ImportOptions& options) {
  int64_t* const sizes[] = {&options.input_channels, &options.input_height, &options.input_width};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    const auto [rest, error] = std::from_chars(at, end, *sizes[i]);
    const bool separated = i == 2 ? rest == end : rest != end && *rest == 'x';
    if (error != std::errc() || *sizes[i] < 1 || !separated) {
      return invalid_argument(fmt::format("--input {}: expected channels x height x width, such as 3x224x224", text));
    }
    at = rest + 1;
  }
  return ok_status();
}

OptimizerOptions optimizer_options(const OptimizerRecipe& recipe) {
  OptimizerOptions options{.momentum = recipe.momentum, .nesterov = recipe.nesterov};
  options.kind = recipe.kind == OptimizerKind::kSgd    ? OptimizerOptions::kSgd
                 : recipe.kind == OptimizerKind::kAdam ? OptimizerOptions::kAdam
                                                       : OptimizerOptions::kAdamW;
  options.weight_decay = recipe.weight_decay;
  options.beta1 = recipe.beta1;
  options.beta2 = recipe.beta2;
  options.epsilon = recipe.epsilon;
  return options;
}

}  // namespace

void add_input_arguments(CLI::App& app, ModelArguments& arguments) {
  app.add_option("--input", arguments.input, "Input size instead of the model's, e.g. 1x28x28")->type_name("CxHxW");
  app.add_option("--classes", arguments.classes, "Number of classes instead of the model's")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->type_name("N");
  const auto names = target_names();
  std::string known = "host";
  for (const std::string& name : names) known += ", " + name;
  app.add_option("--target", arguments.target, "Target: " + known)->type_name("NAME");
}

void add_model_arguments(CLI::App& app, ModelArguments& arguments) {
  app.add_option("model", arguments.model, "Model definition (.textproto, or binary protobuf)")->required();
  add_input_arguments(app, arguments);
}

void add_compile_arguments(CLI::App& app, ModelArguments& arguments) {
  add_model_arguments(app, arguments);
  app.add_option("--recipe", arguments.recipe, "Take optimizer, loss, image transform and class names from a recipe")
      ->type_name("FILE");
  app.add_option("--batch", arguments.batch, "Capacity: the largest batch of a call")
      ->check(CLI::Range(1, 65536))
      ->type_name("N");
  app.add_option("--tuned", arguments.tuned, "Tuned schedules instead of those built in; none: templates' defaults")
      ->type_name("FILE");
  app.add_flag("--strict", arguments.strict, "Round results as the layers' own sums do: no Winograd convolutions");
  app.add_option("--freeze", arguments.freeze, "Layers that are not trained, e.g. 'layer[1-3].*'")->type_name("REGEX");
  app.add_option("--keep", arguments.keep, "Values not to fuse away, so that they can be captured")->type_name("REGEX");
}

Result<Recipe> load_recipe(const std::string& path) {
  RecipeResult result = read_recipe(path);
  RETURN_IF_ERROR(result.diagnostics.status());
  return std::move(result.recipe);
}

ModelOptions model_options(const Recipe& recipe) {
  // A step of a larger batch is split, so that a library does not grow with it.
  constexpr int64_t kMostSamples = 256;
  ModelOptions options{.model = recipe.model, .batch = std::min(recipe.batch_size, kMostSamples)};
  options.input = {recipe.input_height, recipe.input_width, recipe.input_channels,
                   static_cast<int64_t>(recipe.dataset.class_names.size())};
  if (!recipe.target.empty()) options.target = recipe.target;
  options.optimizer = optimizer_options(recipe.optimizer);
  options.label_smoothing = recipe.label_smoothing;
  options.freeze = recipe.freeze;
  options.image = ImageTransform{recipe.transform.scale, recipe.transform.mean, recipe.transform.std};
  options.class_names = recipe.dataset.class_names;
  return options;
}

Result<ModelOptions> resolve(const ModelArguments& arguments, int64_t batch) {
  ModelOptions options;
  if (!arguments.recipe.empty()) {
    ASSIGN_OR_RETURN(const Recipe recipe, load_recipe(arguments.recipe));
    options = model_options(recipe);
  }
  options.model = arguments.model;
  if (!arguments.input.empty()) RETURN_IF_ERROR(parse_input(arguments.input, options.input));
  if (arguments.classes != 0) options.input.classes = arguments.classes;
  if (arguments.batch != 0) {
    options.batch = arguments.batch;
  } else if (arguments.recipe.empty()) {
    options.batch = batch;
  }
  if (!arguments.target.empty()) options.target = arguments.target;
  options.tuned = arguments.tuned;
  options.strict = arguments.strict;
  if (!arguments.freeze.empty()) options.freeze = arguments.freeze;
  options.keep = arguments.keep;
  return options;
}

}  // namespace convoke
