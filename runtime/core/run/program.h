// What convoke-run was asked to do, and the objects it does it with.
#pragma once

#include "runtime/core/convoke.h"
#include "runtime/core/run/tensors.h"

namespace convoke::run {

struct Options {
  const char *library = nullptr, *mode = nullptr, *input = nullptr, *output = nullptr;
  const char* weights = nullptr;  // a .weights file; default: tensors of the input
  const char* model = nullptr;    // default: from the library's file name
  int32_t n = 0;                  // samples of a call; 0: as many as fit
  int32_t threads = 1;
  int32_t steps = 1;
  int32_t repeats = 0;  // --time
  bool profile = false, initialize = false;
  uint64_t seed = 0;
  double learning_rate = 0.01, clip = 0;
};

struct Program {
  Options options;
  const convoke_library* library;
  const convoke_model* model;
  TensorFile input;
  convoke_weights* weights;
  convoke_context* context;
  int64_t samples;  // in the input file
  int32_t n;        // of a call
};

// Ends the process with the library's message when `code` is an error.
void check(int32_t code, const convoke_error& error);

void run_infer(Program& program);
void run_forward(Program& program);
void run_train(Program& program);

}  // namespace convoke::run
