// A library that Convoke has generated; `model` is its file of weights.
#include "../../../runtime/core/convoke.h"

#include <dlfcn.h>

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
  check(library->weights_open(model, &weights, &error));
  // One channel: NCHW is NHWC.
  const convoke_context_options options = {.threads = threads, .input_layout = CONVOKE_NHWC};
  check(library->context_create(weights, &options, &context, &error));
  batch = (int32_t)s->n;
  inputs[0] = nchw;
  outputs[0] = y;
}

void call_model(void) { check(library->infer(context, batch, inputs, outputs, &error)); }
