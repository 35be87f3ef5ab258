// Memory of the activations of one sequence of rows: lifetimes from the rows, outputs over inputs that end there, then
// places.
#pragma once

#include <vector>

#include "compiler/kernels/plan.h"

namespace convoke {

// A buffer that is needed outside the rows that touch it: steps are row indices of the plan.
struct Kept {
  int buffer;
  int first, last;
};

// Buffers that only the rows of one band touch get room for its samples. Then places the activation buffers that rows
// [first_row, end_row) touch, from offset 0 on. Raises the plan's arena size and lower bound to what this sequence
// needs.
void place_activations(Plan& plan, int first_row, int end_row, const std::vector<Kept>& kept);

}  // namespace convoke
