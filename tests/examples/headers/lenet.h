/* Stands for the header that codegen writes: the hand-written library of tests/core under this name. */
#include "runtime/core/convoke.h"

#ifndef LENET_H
#define LENET_H
#define LENET_CAPACITY 8
#define LENET_INPUT_ELEMS 48
#define LENET_OUTPUT_ELEMS 5
const convoke_library* lenet_library(void);
#endif
