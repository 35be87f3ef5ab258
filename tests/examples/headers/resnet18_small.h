/* As lenet.h, a second time. */
#include "runtime/core/convoke.h"

#ifndef RESNET18_SMALL_H
#define RESNET18_SMALL_H
const convoke_library* resnet18_small_library(void);
#endif
