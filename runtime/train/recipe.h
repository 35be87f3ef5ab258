// A training recipe, resolved: what `convoke train` was asked to do, every default filled in. Plain data; the driver
// parses model_defs/recipes/*.textproto into it (fields have the same names there), the trainer only reads it. Fields
// marked (compiled) go into the generated library: the driver hands them to the compiler and the trainer ignores them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

enum class DatasetFormat { kIdx };

// Paths of a data set; every file may be gzipped. Pixels are 8-bit, labels index `class_names`.
struct DatasetRecipe {
  std::string name;  // "Fashion-MNIST", for the reader
  DatasetFormat format = DatasetFormat::kIdx;
  std::string train_images, train_labels;
  std::string test_images, test_labels;
  std::vector<std::string> class_names;  // (compiled) their count is the number of classes
};

// x = (pixel * scale - mean[c]) / std[c]. One mean and std a channel, or one of each for all. (compiled)
struct TransformRecipe {
  double scale = 1.0 / 255;
  std::vector<double> mean = {0.0};
  std::vector<double> std = {1.0};
};

// Of training images only, drawn anew for each sample and epoch.
struct AugmentationRecipe {
  bool horizontal_flip = false;  // of every second image, at random
  int64_t crop_padding = 0;      // pads each side by so many zero pixels, then crops the size back at a random place
};

enum class OptimizerKind { kSgd, kAdam, kAdamW };

// (compiled)
struct OptimizerRecipe {
  OptimizerKind kind = OptimizerKind::kSgd;
  double momentum = 0.9;  // SGD
  bool nesterov = false;  // SGD
  double beta1 = 0.9;     // Adam, AdamW
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

enum class ScheduleKind { kConstant, kStep, kCosine };

// The learning rate of each step; schedules.h has the formulas.
struct ScheduleRecipe {
  ScheduleKind kind = ScheduleKind::kCosine;
  double learning_rate = 0.05;      // after the warm-up
  double warmup_epochs = 0;         // linear from 0, may be a fraction
  double final_learning_rate = 0;   // cosine: reached at the end
  std::vector<double> step_epochs;  // step: increasing; the rate is multiplied by `step_factor` at each
  double step_factor = 0.1;
};

struct Recipe {
  std::string name;   // of the run: runs/<name>/
  std::string model;  // path of the model definition (compiled)
  // Each 0: as the model says. (compiled)
  int64_t input_channels = 0, input_height = 0, input_width = 0;
  std::string target;               // "host" or the name of a target description (compiled)
  std::vector<std::string> freeze;  // regular expressions of layers that are not trained (compiled)
  std::string initial_weights;      // safetensors to start from; empty: the model's initialisation from `seed`

  DatasetRecipe dataset;
  TransformRecipe transform;
  AugmentationRecipe augmentation;
  OptimizerRecipe optimizer;
  ScheduleRecipe schedule;

  uint64_t seed = 1;  // of initialisation, shuffling, augmentation and dropout
  int64_t epochs = 10;
  int64_t batch_size = 64;       // of a step; one over the library's capacity is split, gradients accumulate
  double label_smoothing = 0;    // (compiled)
  double max_gradient_norm = 0;  // clips; 0: no clipping
  int64_t patience = 0;          // stops after so many epochs without a better test accuracy; 0: never
  int64_t checkpoint_steps = 0;  // checkpoints also every so many steps; 0: after each epoch only
  int32_t threads = 0;           // 0: one a core
};

// All values that a reader or a machine could object to, as one message a line: "schedule.learning_rate is -1, expected
// a positive number". Does not look at files.
Status check_recipe(const Recipe& recipe);

// The recipe as text in the syntax of recipe files, every field present; runs/<name>/recipe.textproto.
std::string format_recipe(const Recipe& recipe);

}  // namespace convoke
