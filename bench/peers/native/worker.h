// The framework's part of a C worker: worker.c has the rest.
#ifndef WORKER_H
#define WORKER_H
#include <stdint.h>

// Sizes of the one input [n, channels, height, width] and of the output.
typedef struct sizes {
  int64_t n, channels, height, width, classes;
} sizes;

// Opens the model: `library` and `model` are the command line's. x is the framework's own layout of the input.
void open_model(const char* library, const char* model, const sizes* s, int threads, const float* nchw, float* y);
// Computes y of the x that open_model was given.
void call_model(void);

_Noreturn void fail(const char* what, const char* why);

#endif
