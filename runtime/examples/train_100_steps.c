/* Trains a generated library for 100 steps on images made here: class k is bright in its own part of the image, the
 * rest is noise. Prints the loss as it falls; ends with 1 when it does not. cc train_100_steps.c -Ibuild/lenet
 * -Lbuild/lenet -l:lenet.so -o train_100_steps */
#include <stdio.h>
#include <stdlib.h>

#include "lenet.h"

enum { kBatch = LENET_CAPACITY < 32 ? LENET_CAPACITY : 32 };

static void check(int32_t code, const convoke_error* error) {
  if (code == CONVOKE_OK) return;
  fprintf(stderr, "train_100_steps: %s\n", error->message);
  exit(1);
}

static float noise(void) {
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / 16777216.0f - 0.5f;
}

static void make_batch(float* x, int32_t* labels) {
  for (int s = 0; s < kBatch; ++s) {
    labels[s] = (int32_t)((noise() + 0.5f) * LENET_OUTPUT_ELEMS);
    for (int i = 0; i < LENET_INPUT_ELEMS; ++i) {
      const int part = i * LENET_OUTPUT_ELEMS / LENET_INPUT_ELEMS;
      x[s * LENET_INPUT_ELEMS + i] = noise() + (part == labels[s] ? 1.0f : 0.0f);
    }
  }
}

int main(void) {
  static float x[kBatch * LENET_INPUT_ELEMS];
  static int32_t labels[kBatch];
  const void* inputs[] = {x};
  const convoke_library* library = lenet_library();
  const convoke_context_options options = {1, 2, CONVOKE_NHWC, NULL, NULL, NULL};
  convoke_update update = {0.05f, 1, 0};
  convoke_metrics metrics = {0, 0};
  convoke_weights* weights;
  convoke_context* context;
  convoke_error error;
  float first = 0;

  check(library->weights_create(&weights, &error), &error);
  library->weights_initialize(weights, 42);
  check(library->context_create(weights, &options, &context, &error), &error);
  for (; update.step <= 100; ++update.step) {
    make_batch(x, labels);
    check(library->forward_backward(context, kBatch, inputs, labels, NULL, &metrics, &error), &error);
    check(library->update(context, &update, NULL, &error), &error);
    if (update.step == 1) first = metrics.loss;
    if (update.step % 20 == 0 || update.step == 1) {
      printf("step %3d  loss %.4f  accuracy %.3f\n", (int)update.step, metrics.loss, metrics.accuracy);
    }
  }
  library->context_destroy(context);
  library->weights_destroy(weights);
  return metrics.loss < first ? 0 : 1;
}
