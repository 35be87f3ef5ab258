/* Classifies an image with a library compiled from a recipe: classify IMAGE WEIGHTS. IMAGE: 8-bit pixels of the input's
 * size, HWC. WEIGHTS: weights.safetensors of a run, whose tensors lie behind the header in the model's order.
 *   cc classify.c -Iruns/NAME runs/NAME/lenet.so -Wl,-rpath,$PWD/runs/NAME -o classify */
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
  convoke_error error;
  check(argc != 3, "usage: classify IMAGE WEIGHTS");
  check(lib->weights_create(&weights, &error), error.message);
  uint64_t header_bytes;
  FILE* file = fopen(argv[2], "rb");
  check(!file || fread(&header_bytes, 8, 1, file) != 1, "cannot read the weights");
  fseek(file, (long)header_bytes, SEEK_CUR);
  for (int i = 0; i < model->parameter_count + model->state_count; ++i) {
    const convoke_tensor* tensor =
        i < model->parameter_count ? &model->parameters[i] : &model->states[i - model->parameter_count];
    float* data = malloc((size_t)tensor->elems * sizeof *data);
    check(!data || fread(data, (size_t)tensor->elems * sizeof *data, 1, file) != 1, "the weights end early");
    check(lib->weights_set(weights, i, data, tensor->elems, &error), error.message), free(data);
  }
  unsigned char pixels[LENET_INPUT_ELEMS];
  float logits[LENET_OUTPUT_ELEMS];
  check(!(file = fopen(argv[1], "rb")) || fread(pixels, sizeof pixels, 1, file) != 1, "cannot read the image");
  check(lib->context_create(weights, NULL, &context, &error), error.message);
  check(lib->infer_image(context, 1, pixels, (void*[]){logits}, &error), error.message);
  int best = 0;
  for (int i = 1; i < LENET_OUTPUT_ELEMS; ++i) best = logits[i] > logits[best] ? i : best;
  printf("%s, logit %.4f\n", model->class_names[best], logits[best]);
}
