// Exports the hand-written library of tests/core as MODEL.
#include "runtime/core/plan.h"

extern "C" const convoke_library* MODEL() { return &convoke_core_library; }
