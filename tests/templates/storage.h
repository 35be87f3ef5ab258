// Tensors to and from the memory form that a layout gives them, element by element: written for the tests alone, from
// the definition in layout.h.
#pragma once

#include "compiler/kernels/layout.h"
#include "compiler/ops/tensor.h"

namespace convoke {

// Dims as in memory, outermost first; padding is zero, and so are the images that the last block of a batch lacks.
Tensor to_storage(const Type& type, const Layout& layout, const Tensor& logical);

struct FromStorage {
  Tensor logical;
  bool padding_is_zero = true;
};
// `batch` images, where the type has them.
FromStorage from_storage(const Type& type, const Layout& layout, const Tensor& storage, int64_t batch);

}  // namespace convoke
