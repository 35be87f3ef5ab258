// How train and eval report an evaluation.
#pragma once

#include "compiler/driver/output.h"
#include "runtime/train/metrics.h"

namespace convoke {

// {samples, accuracy, loss, images_per_second, classes: [{name, samples, recall, precision, most_confused_with}],
// confusion: [true][predicted]}
Json evaluation_json(const Evaluation& evaluation);

void print_evaluation(const Evaluation& evaluation);  // accuracy, the class table, the confusion table

}  // namespace convoke
