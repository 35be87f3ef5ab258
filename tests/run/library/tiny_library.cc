// The exported function of the hand-written library, as codegen emits it.
#include "runtime/core/plan.h"

extern "C" const convoke_library* tiny_library() { return &convoke_core_library; }
