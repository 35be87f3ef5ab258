// The learning rate as a function of the step: no state, so a resumed run continues exactly.
#pragma once

#include <cstdint>

#include "runtime/train/recipe.h"

namespace convoke {

// Of step `step` (from 0) of a run of `epochs` epochs of `steps_per_epoch` steps; R = schedule.learning_rate,
// W = round(warmup_epochs * steps_per_epoch), T = epochs * steps_per_epoch:
//   step < W   R * (step + 1) / W
//   constant   R
//   step       R * step_factor^k, k = how many of step_epochs have passed: step >= step_epochs[i] * steps_per_epoch
//   cosine     F + (R - F) * (1 + cos(pi * (step - W) / (T - W))) / 2, F = final_learning_rate
//              (Loshchilov and Hutter, SGDR, 2017, equation 5, one cycle)
double learning_rate(const ScheduleRecipe& schedule, int64_t step, int64_t steps_per_epoch, int64_t epochs);

}  // namespace convoke
