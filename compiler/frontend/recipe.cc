#include "compiler/frontend/recipe.h"

#include <fmt/format.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include "compiler/frontend/located.h"
#include "model_defs/schema/recipe.pb.h"

namespace convoke {
namespace {

// Where Debian's package dataset-fashion-mnist puts it.
DatasetRecipe fashion_mnist() {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  return {.name = "Fashion-MNIST",
          .format = DatasetFormat::kIdx,
          .train_images = folder + "train-images-idx3-ubyte.gz",
          .train_labels = folder + "train-labels-idx1-ubyte.gz",
          .test_images = folder + "t10k-images-idx3-ubyte.gz",
          .test_labels = folder + "t10k-labels-idx1-ubyte.gz",
          .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                          "Ankle boot"}};
}

// Lists of one field: TAKE those that have one value, TAKE_ALL repeated ones, where the file states them.
#define TAKE(field) \
  if (from.has_##field()) to.field = from.field()
#define TAKE_ALL(field) \
  if (from.field##_size() > 0) to.field.assign(from.field().begin(), from.field().end())

void take(const schema::Dataset& from, DatasetRecipe& to) {
  TAKE(name);
  TAKE(train_images);
  TAKE(train_labels);
  TAKE(test_images);
  TAKE(test_labels);
  TAKE_ALL(class_names);
}

void take(const schema::Transform& from, TransformRecipe& to) {
  TAKE(scale);
  TAKE_ALL(mean);
  TAKE_ALL(std);
}

void take(const schema::Augmentation& from, AugmentationRecipe& to) {
  TAKE(horizontal_flip);
  TAKE(crop_padding);
}

void take(const schema::Optimizer& from, OptimizerRecipe& to) {
  constexpr OptimizerKind kKinds[] = {OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdamW};
  if (from.has_kind()) to.kind = kKinds[from.kind()];
  TAKE(momentum);
  TAKE(nesterov);
  TAKE(beta1);
  TAKE(beta2);
  TAKE(epsilon);
  TAKE(weight_decay);
}

void take(const schema::Schedule& from, ScheduleRecipe& to) {
  constexpr ScheduleKind kKinds[] = {ScheduleKind::kConstant, ScheduleKind::kStep, ScheduleKind::kCosine};
  if (from.has_kind()) to.kind = kKinds[from.kind()];
  TAKE(learning_rate);
  TAKE(warmup_epochs);
  TAKE(final_learning_rate);
  TAKE_ALL(step_epochs);
  TAKE(step_factor);
}

void take(const schema::Recipe& from, Recipe& to) {
  TAKE(name);
  TAKE(model);
  TAKE(input_channels);
  TAKE(input_height);
  TAKE(input_width);
  TAKE(target);
  TAKE_ALL(freeze);
  TAKE(initial_weights);
  TAKE(seed);
  TAKE(epochs);
  TAKE(batch_size);
  TAKE(label_smoothing);
  TAKE(max_gradient_norm);
  TAKE(patience);
  TAKE(checkpoint_steps);
  TAKE(threads);
  take(from.transform(), to.transform);
  take(from.augmentation(), to.augmentation);
  take(from.optimizer(), to.optimizer);
  take(from.schedule(), to.schedule);
}
#undef TAKE
#undef TAKE_ALL

void take_dataset(const Located<schema::Recipe>& from, DatasetRecipe& to, Diagnostics& diagnostics) {
  if (!from->has_dataset()) {
    to = fashion_mnist();
    return;
  }
  take(from->dataset(), to);
  const Position position = position_of(from, schema::Recipe::kDatasetFieldNumber);
  std::string missing;
  for (const auto& [name, is_missing] :
       {std::pair("train_images", to.train_images.empty()), std::pair("train_labels", to.train_labels.empty()),
        std::pair("test_images", to.test_images.empty()), std::pair("test_labels", to.test_labels.empty()),
        std::pair("class_names", to.class_names.empty())}) {
    if (is_missing) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
  }
  if (missing.empty()) return;
  diagnostics.add({"E0602", position, "", "the data set has no " + missing,
                   "a data set has all of them; a recipe without `dataset` trains on Fashion-MNIST"});
}

// std::regex reports mistakes by exceptions, and recurses once a letter; they end here.
void check_freeze(const Located<schema::Recipe>& file, Diagnostics& diagnostics) {
  constexpr size_t kMostLetters = 1000;
  for (int i = 0; i < file->freeze_size(); ++i) {
    const std::string& pattern = file->freeze(i);
    std::string problem;
    if (pattern.size() > kMostLetters) {
      problem = fmt::format("it has {} letters, expected at most {}", pattern.size(), kMostLetters);
    } else {
      try {
        std::regex{pattern};
      } catch (const std::regex_error& error) {
        problem = error.what();
      }
    }
    if (problem.empty()) continue;
    diagnostics.add({"E0601", position_of(file, schema::Recipe::kFreezeFieldNumber, i), "",
                     fmt::format("freeze is \"{}\", expected a regular expression ({})", pattern, problem),
                     "for layers that begin with \"layer1\": \"layer1.*\""});
  }
}

// Where a setting such as "schedule.learning_rate" is stated.
Position position_of_setting(Located<google::protobuf::Message> message, std::string_view path) {
  Position position;
  while (message.message != nullptr && !path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    const auto* field = message->GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
    if (field == nullptr) break;
    position = position_of(message, field->number(), -1, position);
    path.remove_prefix(std::min(dot + 1, path.size()));
    if (path.empty() || field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) break;
    message = {&message->GetReflection()->GetMessage(*message.message, field),
               places_of(*message.message, message.places, field->number(), -1)};
  }
  return position;
}

void check(const Located<schema::Recipe>& file, const Recipe& recipe, Diagnostics& diagnostics) {
  if (recipe.model.empty()) {
    diagnostics.add(
        {"E0602", {}, "", "the recipe names no model", "say `model: \"model_defs/models/lenet.textproto\"`"});
  }
  check_freeze(file, diagnostics);
  if (const Status status = check_recipe(recipe); !status.ok()) {
    std::istringstream lines(status.message());
    for (std::string line; std::getline(lines, line);) {
      const std::string setting = line.substr(0, line.find(" is "));
      const std::string path = setting.substr(setting.rfind(' ') + 1);  // "the number of transform.mean"
      diagnostics.add({"E0601", position_of_setting({file.message, file.places}, path), "", line, ""});
    }
  }
}

}  // namespace

RecipeResult read_recipe_bytes(const std::string& bytes, const std::string& file_name) {
  RecipeResult result{{}, Diagnostics(file_name)};
  schema::Recipe message;
  Places places;
  const ReadMessage read = read_message(bytes, message, places, result.diagnostics);
  if (!read.usable) return result;
  const Located<schema::Recipe> file{&message, read.places};
  result.recipe.name = std::filesystem::path(file_name).stem().string();
  result.recipe.target = "host";
  take(message, result.recipe);
  take_dataset(file, result.recipe.dataset, result.diagnostics);
  check(file, result.recipe, result.diagnostics);
  return result;
}

RecipeResult read_recipe(const std::string& path) {
  RecipeResult unread{{}, Diagnostics(path)};
  const std::optional<std::string> bytes = read_definition(path, unread.diagnostics);
  return bytes ? read_recipe_bytes(*bytes, path) : unread;
}

}  // namespace convoke
