// ONNX Runtime through its C API. The wheel has no header, so this declares the few entries of the table OrtApi that it
// calls, by their place: the table only ever grows at its end, which is the API's promise of binary compatibility
// (https://onnxruntime.ai/docs/api/c/struct_ort_api.html, entries in the order of their declaration).
#include <dlfcn.h>
#include <stddef.h>

#include "worker.h"

enum {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kCreateTensorWithData = 49,
  kCreateCpuMemoryInfo = 69
};
enum { kApiVersion = 1, kWarning = 2, kFloat = 1, kArenaAllocator = 1, kDefaultMemory = 0 };

typedef void object;  // OrtEnv, OrtSession, OrtValue …; a status that is not NULL is an error
typedef struct api_base {
  object* const* (*get_api)(uint32_t version);
  const char* (*version)(void);
} api_base;

static object* const* api;
static object *session, *input, *output;

static void check(object* status) {
  if (status) fail("onnxruntime", ((const char* (*)(const object*))api[kGetErrorMessage])(status));
}

static object* tensor(object* memory, const float* data, const int64_t* shape, size_t rank) {
  size_t bytes = sizeof(float);
  for (size_t i = 0; i < rank; ++i) bytes *= (size_t)shape[i];
  object* value;
  check(((object * (*)(const object*, void*, size_t, const int64_t*, size_t, int, object**))
             api[kCreateTensorWithData])(memory, (void*)data, bytes, shape, rank, kFloat, &value));
  return value;
}

void open_model(const char* path, const char* model, const sizes* s, int threads, const float* nchw, float* y) {
  void* handle = dlopen(path, RTLD_NOW);
  if (!handle) fail(path, dlerror());
  const api_base* (*entry)(void);
  *(void**)&entry = dlsym(handle, "OrtGetApiBase");
  if (!entry) fail(path, dlerror());
  api = entry()->get_api(kApiVersion);
  object *environment, *options, *memory;
  check(((object * (*)(int, const char*, object**)) api[kCreateEnv])(kWarning, "lenet", &environment));
  check(((object * (*)(object**)) api[kCreateSessionOptions])(&options));
  check(((object * (*)(object*, int)) api[kSetIntraOpNumThreads])(options, threads));
  check(((object * (*)(object*, int)) api[kSetInterOpNumThreads])(options, 1));
  check(((object * (*)(const object*, const char*, const object*, object**)) api[kCreateSession])(environment, model,
                                                                                                  options, &session));
  check(((object * (*)(int, int, object**)) api[kCreateCpuMemoryInfo])(kArenaAllocator, kDefaultMemory, &memory));
  input = tensor(memory, nchw, (const int64_t[]){s->n, s->channels, s->height, s->width}, 4);
  output = tensor(memory, y, (const int64_t[]){s->n, s->classes}, 2);
}

void call_model(void) {
  static const char* const input_names[] = {"input"};
  static const char* const output_names[] = {"output"};
  check(((object * (*)(object*, const object*, const char* const*, object* const*, size_t, const char* const*, size_t,
                       object**)) api[kRun])(session, NULL, input_names, &input, 1, output_names, 1, &output));
}
