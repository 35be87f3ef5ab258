#include "runtime/train/recipe.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace convoke {
namespace {

std::string text_of(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return std::string(digits, end);
}

std::string text_of(bool value) { return value ? "true" : "false"; }
template <typename Integer>
std::string text_of(Integer value)
  requires std::is_integral_v<Integer>
{
  return std::to_string(value);
}

// A string literal of protobuf's text format.
std::string text_of(const std::string& value) {
  std::string text = "\"";
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      text += {'\\', static_cast<char>(c)};
    } else if (c < 32 || c == 127) {
      text += {'\\', static_cast<char>('0' + (c >> 6)), static_cast<char>('0' + (c >> 3 & 7)),
               static_cast<char>('0' + (c & 7))};
    } else {
      text += static_cast<char>(c);
    }
  }
  return text + "\"";
}

const char* text_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return "SGD";
    case OptimizerKind::kAdam:
      return "ADAM";
    case OptimizerKind::kAdamW:
      return "ADAMW";
  }
  return "";
}

const char* text_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kConstant:
      return "CONSTANT";
    case ScheduleKind::kStep:
      return "STEP";
    case ScheduleKind::kCosine:
      return "COSINE";
  }
  return "";
}

const char* text_of(DatasetFormat) { return "IDX"; }

struct Text {
  std::string text;
  std::string indent;

  template <typename T>
  void field(const char* name, const T& value) {
    text += indent + name + ": " + text_of(value) + "\n";
  }
  template <typename T>
  void repeated(const char* name, const std::vector<T>& values) {
    for (const T& value : values) field(name, value);
  }
  void open(const char* name) {
    text += indent + name + " {\n";
    indent += "  ";
  }
  void close() {
    indent.resize(indent.size() - 2);
    text += indent + "}\n";
  }
};

struct Checks {
  std::string problems;

  void expect(bool holds, const std::string& name, const std::string& found, const std::string& expected) {
    if (!holds) problems += (problems.empty() ? "" : "\n") + name + " is " + found + ", expected " + expected;
  }
  void not_negative(const std::string& name, double value) {
    expect(std::isfinite(value) && value >= 0, name, text_of(value), "a number of at least 0");
  }
  void positive(const std::string& name, double value) {
    expect(std::isfinite(value) && value > 0, name, text_of(value), "a positive number");
  }
  void fraction(const std::string& name, double value) {
    expect(value >= 0 && value < 1, name, text_of(value), "at least 0 and less than 1");
  }
  void at_least(const std::string& name, int64_t value, int64_t least) {
    expect(value >= least, name, std::to_string(value), std::to_string(least) + " or more");
  }
};

void check_optimizer(const OptimizerRecipe& optimizer, Checks& checks) {
  checks.fraction("optimizer.momentum", optimizer.momentum);
  checks.fraction("optimizer.beta1", optimizer.beta1);
  checks.fraction("optimizer.beta2", optimizer.beta2);
  checks.positive("optimizer.epsilon", optimizer.epsilon);
  checks.not_negative("optimizer.weight_decay", optimizer.weight_decay);
}

void check_schedule(const ScheduleRecipe& schedule, Checks& checks) {
  checks.positive("schedule.learning_rate", schedule.learning_rate);
  checks.not_negative("schedule.warmup_epochs", schedule.warmup_epochs);
  checks.not_negative("schedule.final_learning_rate", schedule.final_learning_rate);
  checks.positive("schedule.step_factor", schedule.step_factor);
  double before = 0;
  for (double epoch : schedule.step_epochs) {
    checks.expect(std::isfinite(epoch) && epoch > before, "schedule.step_epochs", text_of(epoch),
                  "increasing numbers above 0");
    before = epoch;
  }
}

void check_transform(const TransformRecipe& transform, Checks& checks) {
  checks.positive("transform.scale", transform.scale);
  checks.at_least("the number of transform.mean", static_cast<int64_t>(transform.mean.size()), 1);
  checks.expect(transform.mean.size() == transform.std.size(), "the number of transform.std",
                std::to_string(transform.std.size()), "as many as of transform.mean");
  for (double mean : transform.mean) {
    checks.expect(std::isfinite(mean), "transform.mean", text_of(mean), "a finite number");
  }
  for (double std : transform.std) checks.positive("transform.std", std);
}

}  // namespace

Status check_recipe(const Recipe& recipe) {
  Checks checks;
  const bool printable = std::none_of(recipe.name.begin(), recipe.name.end(), [](unsigned char c) { return c < 32; });
  checks.expect(!recipe.name.empty() && recipe.name != "." && recipe.name != ".." && printable &&
                    recipe.name.find('/') == std::string::npos,
                "name", text_of(recipe.name), "the name of a folder");
  for (const auto& [name, size] :
       {std::pair("input_channels", recipe.input_channels), std::pair("input_height", recipe.input_height),
        std::pair("input_width", recipe.input_width)}) {
    checks.expect(size >= 0 && size <= 65535, name, std::to_string(size), "0 (as the model says) to 65535");
  }
  checks.at_least("epochs", recipe.epochs, 1);
  checks.at_least("batch_size", recipe.batch_size, 1);
  checks.fraction("label_smoothing", recipe.label_smoothing);
  checks.not_negative("max_gradient_norm", recipe.max_gradient_norm);
  checks.at_least("patience", recipe.patience, 0);
  checks.at_least("checkpoint_steps", recipe.checkpoint_steps, 0);
  checks.expect(recipe.threads >= 0 && recipe.threads <= 64, "threads", std::to_string(recipe.threads), "0 to 64");
  checks.expect(recipe.augmentation.crop_padding >= 0 && recipe.augmentation.crop_padding <= 1024,
                "augmentation.crop_padding", std::to_string(recipe.augmentation.crop_padding), "0 to 1024");
  check_transform(recipe.transform, checks);
  check_optimizer(recipe.optimizer, checks);
  check_schedule(recipe.schedule, checks);
  return checks.problems.empty() ? ok_status() : invalid_argument(checks.problems);
}

std::string format_recipe(const Recipe& recipe) {
  Text out;
  out.field("name", recipe.name);
  out.field("model", recipe.model);
  out.field("input_channels", recipe.input_channels);
  out.field("input_height", recipe.input_height);
  out.field("input_width", recipe.input_width);
  out.field("target", recipe.target);
  out.repeated("freeze", recipe.freeze);
  out.field("initial_weights", recipe.initial_weights);
  out.open("dataset");
  out.field("name", recipe.dataset.name);
  out.field("format", recipe.dataset.format);
  out.field("train_images", recipe.dataset.train_images);
  out.field("train_labels", recipe.dataset.train_labels);
  out.field("test_images", recipe.dataset.test_images);
  out.field("test_labels", recipe.dataset.test_labels);
  out.repeated("class_names", recipe.dataset.class_names);
  out.close();
  out.open("transform");
  out.field("scale", recipe.transform.scale);
  out.repeated("mean", recipe.transform.mean);
  out.repeated("std", recipe.transform.std);
  out.close();
  out.open("augmentation");
  out.field("horizontal_flip", recipe.augmentation.horizontal_flip);
  out.field("crop_padding", recipe.augmentation.crop_padding);
  out.close();
  out.open("optimizer");
  out.field("kind", recipe.optimizer.kind);
  out.field("momentum", recipe.optimizer.momentum);
  out.field("nesterov", recipe.optimizer.nesterov);
  out.field("beta1", recipe.optimizer.beta1);
  out.field("beta2", recipe.optimizer.beta2);
  out.field("epsilon", recipe.optimizer.epsilon);
  out.field("weight_decay", recipe.optimizer.weight_decay);
  out.close();
  out.open("schedule");
  out.field("kind", recipe.schedule.kind);
  out.field("learning_rate", recipe.schedule.learning_rate);
  out.field("warmup_epochs", recipe.schedule.warmup_epochs);
  out.field("final_learning_rate", recipe.schedule.final_learning_rate);
  out.repeated("step_epochs", recipe.schedule.step_epochs);
  out.field("step_factor", recipe.schedule.step_factor);
  out.close();
  out.field("seed", recipe.seed);
  out.field("epochs", recipe.epochs);
  out.field("batch_size", recipe.batch_size);
  out.field("label_smoothing", recipe.label_smoothing);
  out.field("max_gradient_norm", recipe.max_gradient_norm);
  out.field("patience", recipe.patience);
  out.field("checkpoint_steps", recipe.checkpoint_steps);
  out.field("threads", recipe.threads);
  return out.text;
}

}  // namespace convoke
