// A network's answers to a labelled data set, and to images.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/data/transform.h"
#include "runtime/train/library.h"
#include "runtime/train/metrics.h"

namespace convoke {

// The transform that is embedded in the library, so that training, evaluation and serving cannot disagree.
// kFailedPrecondition if the library was compiled without one.
Result<PixelTransform> library_transform(const Library& library);

// The library reads one image of the data set's size and tells its classes apart; the message says what does not fit.
Status check_dataset(const Library& library, const Dataset& dataset);

// Called now and then with the number of samples done; false ends the evaluation.
using EvaluationProgress = std::function<bool(int64_t samples)>;

// On a context of any kind with the layout NHWC. Without a value: `progress` ended it.
Result<std::optional<Evaluation>> evaluate(const Library& library, convoke_context* context, const Dataset& dataset,
                                           const EvaluationProgress& progress);

// With a context of its own of `threads` threads (0: one a core).
Result<Evaluation> evaluate(const Library& library, convoke_weights* weights, const Dataset& dataset, int32_t threads);

struct RankedClass {
  int32_t index = 0;
  std::string name;  // "" where neither the library nor the caller has names
  float probability = 0;
};

struct Prediction {
  std::vector<RankedClass> classes;  // all of them, most probable first
};

// `pixels`: n images of the library's input size, 8-bit, HWC, through infer_image; softmax of the first output.
Result<std::vector<Prediction>> predict(const Library& library, convoke_weights* weights,
                                        const std::vector<uint8_t>& pixels, int32_t threads);

// The library's own names, else "0", "1", …
std::vector<std::string> library_class_names(const Library& library);

}  // namespace convoke
