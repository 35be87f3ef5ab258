/* Classifies an image with a generated library: classify IMAGE [WEIGHTS]. IMAGE: raw 8-bit pixels of the input's size,
 * HWC. WEIGHTS: raw f32, all parameters and running statistics one after another in PyTorch's layouts; without it they
 * are random. cc classify.c -Ibuild/lenet -Lbuild/lenet -l:lenet.so -o classify */
#include <stdio.h>
#include <stdlib.h>

#include "lenet.h"

static void check(int failed, const char* message) {
  if (failed) fprintf(stderr, "classify: %s\n", message), exit(1);
}

int main(int argc, char** argv) {
  const convoke_library* lib = lenet_library();
  const convoke_model* model = lib->model;
  convoke_weights* weights;
  convoke_context* context;
  convoke_error error = {0, "usage: classify IMAGE [WEIGHTS]"};
  check(argc < 2, error.message);
  check(lib->weights_create(&weights, &error), error.message);
  lib->weights_initialize(weights, 1);
  FILE* file = argc > 2 ? fopen(argv[2], "rb") : NULL;
  check(argc > 2 && !file, "cannot open the weights");
  for (int i = 0; file && i < model->parameter_count + model->state_count; ++i) {
    int64_t elems =
        (i < model->parameter_count ? model->parameters[i] : model->states[i - model->parameter_count]).elems;
    float* data = malloc((size_t)elems * sizeof *data);
    check(!data || fread(data, sizeof *data, (size_t)elems, file) != (size_t)elems, "the weights end early");
    check(lib->weights_set(weights, i, data, elems, &error), error.message), free(data);
  }
  check(lib->context_create(weights, NULL, &context, &error), error.message);
  unsigned char pixels[LENET_INPUT_ELEMS];
  float x[LENET_INPUT_ELEMS], y[LENET_OUTPUT_ELEMS];
  check(!(file = fopen(argv[1], "rb")) || fread(pixels, sizeof pixels, 1, file) != 1, "cannot read the image");
  for (int i = 0; i < LENET_INPUT_ELEMS; ++i) x[i] = (float)pixels[i] / 255.0f;
  check(lib->infer(context, 1, (const void*[]){x}, (void*[]){y}, &error), error.message);
  int best = 0;
  for (int i = 1; i < LENET_OUTPUT_ELEMS; ++i) best = y[i] > y[best] ? i : best;
  printf("class %d, logit %.4f\n", best, y[best]);
}
