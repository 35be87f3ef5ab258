// A library that Convoke has generated; `model` is a safetensors file.
#include "../../../runtime/core/convoke.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

static const convoke_library* library;
static convoke_context* context;
static convoke_error error;
static int32_t batch;
static const void* inputs[1];
static void* outputs[1];

static void check(int32_t code) {
  if (code != CONVOKE_OK) fail("convoke", error.message);
}

// The data of a tensor: the file is a header's length (8 bytes), the header in JSON, the data.
static const float* find(const char* file, const char* name) {
  uint64_t header_bytes;
  memcpy(&header_bytes, file, 8);
  char quoted[256];
  snprintf(quoted, sizeof quoted, "\"%s\":", name);
  const char* entry = strstr(file + 8, quoted);
  if (!entry) fail(name, "not among the weights");
  const char* offsets = strstr(entry, "\"data_offsets\":[");
  return (const float*)(file + 8 + header_bytes + strtoull(offsets + strlen("\"data_offsets\":["), NULL, 10));
}

static void map_weights(convoke_weights* weights, const char* path) {
  const int descriptor = open(path, O_RDONLY);
  struct stat status;
  if (descriptor < 0 || fstat(descriptor, &status)) fail(path, "cannot be read");
  const char* file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const convoke_model* model = library->model;
  for (int32_t i = 0; i < model->parameter_count + model->state_count; ++i) {
    const convoke_tensor* tensor =
        i < model->parameter_count ? &model->parameters[i] : &model->states[i - model->parameter_count];
    check(library->weights_map(weights, i, find(file, tensor->name), tensor->elems, &error));
  }
  close(descriptor);
}

void open_model(const char* path, const char* model, const sizes* s, int threads, const float* nchw, float* y) {
  void* handle = dlopen(path, RTLD_NOW);
  if (!handle) fail(path, dlerror());
  const convoke_library* (*entry)(void);
  *(void**)&entry = dlsym(handle, "lenet_library");
  if (!entry) fail(path, dlerror());
  if (s->channels != 1) fail(path, "this worker is for images of one channel");
  library = entry();
  if (library->abi_version != CONVOKE_ABI_VERSION) fail(path, "another ABI version");
  convoke_weights* weights;
  check(library->weights_create(&weights, &error));
  map_weights(weights, model);
  // One channel: NCHW is NHWC.
  const convoke_context_options options = {.threads = threads, .input_layout = CONVOKE_NHWC};
  check(library->context_create(weights, &options, &context, &error));
  batch = (int32_t)s->n;
  inputs[0] = nchw;
  outputs[0] = y;
}

void call_model(void) { check(library->infer(context, batch, inputs, outputs, &error)); }
