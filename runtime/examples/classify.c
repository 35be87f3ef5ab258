/* Classifies an image with LeNet: classify IMAGE WEIGHTS. IMAGE: 8-bit pixels of the input's size, HWC. WEIGHTS: what
 * `convoke compile --weights` made beside the library, of a trained network.
 *   convoke compile lenet.textproto --recipe RECIPE --weights runs/NAME/weights.safetensors --out DIR
 *   cc classify.c -IDIR DIR/lenet.so -Wl,-rpath,$PWD/DIR -o classify */
#include <stdio.h>
#include <stdlib.h>

#include "lenet.h"

static void check(int failed, const char* message) {
  if (failed) fprintf(stderr, "classify: %s\n", message), exit(1);
}

int main(int argc, char** argv) {
  unsigned char pixels[LENET_INPUT_ELEMS];
  float logits[LENET_OUTPUT_ELEMS];
  convoke_error error;
  convoke_weights* weights;
  convoke_context* context;
  const convoke_library* lib = lenet_library();
  const convoke_model* model = lib->model;
  FILE* image = argc == 3 ? fopen(argv[1], "rb") : NULL;
  check(!image || fread(pixels, sizeof pixels, 1, image) != 1, "usage: classify IMAGE WEIGHTS");
  check(lib->weights_open(argv[2], &weights, &error), error.message);
  check(lib->context_create(weights, NULL, &context, &error), error.message);
  check(lib->infer_image(context, 1, pixels, (void*[]){logits}, &error), error.message);
  int best = 0;
  for (int i = 1; i < model->class_count; ++i) best = logits[i] > logits[best] ? i : best;
  printf("%s, logit %.4f\n", model->class_names[best], logits[best]);
}
