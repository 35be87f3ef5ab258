/* Classifies an image with a library that `convoke train` made: classify IMAGE WEIGHTS. IMAGE: 8-bit pixels of the
 * input's size, HWC. WEIGHTS: the run's weights.safetensors.
 *   cc classify.c -Iruns/NAME runs/NAME/lenet.so -Wl,-rpath,$PWD/runs/NAME -o classify */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lenet.h"

static void check(int failed, const char* message) {
  if (failed) fprintf(stderr, "classify: %s\n", message), exit(1);
}

int main(int argc, char** argv) {
  static char bytes[1 << 20]; /* safetensors: size of the header, header (JSON), data */
  unsigned char pixels[LENET_INPUT_ELEMS];
  float logits[LENET_OUTPUT_ELEMS];
  convoke_error error;
  convoke_weights* weights;
  convoke_context* context;
  const convoke_library* lib = lenet_library();
  const convoke_model* model = lib->model;
  FILE *image = argc == 3 ? fopen(argv[1], "rb") : NULL, *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
  check(!image || fread(pixels, sizeof pixels, 1, image) != 1, "usage: classify IMAGE WEIGHTS");
  check(!file || fread(bytes, 1, sizeof bytes - 1, file) < 8, "cannot read the weights");
  check(lib->weights_create(&weights, &error), error.message);
  for (int i = 0; i < model->parameter_count; ++i) { /* a network with batch norm has states behind them */
    char name[256];
    snprintf(name, sizeof name, "\"%s\"", model->parameters[i].name);
    const char* entry = strstr(bytes + 8, name);
    check(!entry || !(entry = strstr(entry, "data_offsets\":[")), "a tensor is missing");
    const char* data = bytes + 8 + *(uint64_t*)bytes + strtol(entry + 15, NULL, 10);
    check(lib->weights_set(weights, i, (const float*)data, model->parameters[i].elems, &error), error.message);
  }
  check(lib->context_create(weights, NULL, &context, &error), error.message);
  check(lib->infer_image(context, 1, pixels, (void*[]){logits}, &error), error.message);
  int best = 0;
  for (int i = 1; i < model->class_count; ++i) best = logits[i] > logits[best] ? i : best;
  printf("%s, logit %.4f\n", model->class_names[best], logits[best]);
}
