/* Two different libraries at once in one process: each infers in a thread of its own, both on one pool. A library that
 * finds the pool busy runs on its own thread, so the results are those of each alone. cc two_libraries.c -Ibuild/lenet
 * -Ibuild/resnet18_small … -l:lenet.so -l:resnet18_small.so -o two_libraries */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lenet.h"
#include "resnet18_small.h"

enum { kCalls = 50 };

typedef struct job {
  const convoke_library* library;
  convoke_pool* pool;
  int changed; /* calls whose output differed from the first */
} job;

static void check(int32_t code, const convoke_error* error) {
  if (code == CONVOKE_OK) return;
  fprintf(stderr, "two_libraries: %s\n", error->message);
  exit(1);
}

static void* infer_often(void* argument) {
  job* work = argument;
  const convoke_library* library = work->library;
  const size_t elems = (size_t)library->model->inputs[0].elems, classes = (size_t)library->model->outputs[0].elems;
  const convoke_context_options options = {0, 2, CONVOKE_NHWC, work->pool, NULL, NULL};
  float *x = malloc(elems * sizeof *x), *first = malloc(classes * sizeof *x), *y = malloc(classes * sizeof *x);
  const void* inputs[] = {x};
  void* outputs[] = {y};
  convoke_weights* weights;
  convoke_context* context;
  convoke_error error;

  if (!x || !first || !y) abort();
  for (size_t i = 0; i < elems; ++i) x[i] = (float)(i % 17) / 17.0f;
  check(library->weights_create(&weights, &error), &error);
  library->weights_initialize(weights, 1);
  check(library->context_create(weights, &options, &context, &error), &error);
  for (int call = 0; call < kCalls; ++call) {
    check(library->infer(context, 1, inputs, outputs, &error), &error);
    if (call == 0) memcpy(first, y, classes * sizeof *y);
    work->changed += memcmp(first, y, classes * sizeof *y) != 0;
  }
  library->context_destroy(context);
  library->weights_destroy(weights);
  free(x), free(first), free(y);
  return NULL;
}

int main(void) {
  job jobs[2] = {{lenet_library(), NULL, 0}, {resnet18_small_library(), NULL, 0}};
  pthread_t threads[2];
  convoke_pool* pool;
  convoke_error error;

  check(jobs[0].library->pool_create(2, &pool, &error), &error);
  for (int i = 0; i < 2; ++i) {
    jobs[i].pool = pool;
    if (pthread_create(&threads[i], NULL, infer_often, &jobs[i])) abort();
  }
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  jobs[0].library->pool_destroy(pool);
  for (int i = 0; i < 2; ++i) {
    printf("%s: %d calls, %d differed\n", jobs[i].library->model->name, kCalls, jobs[i].changed);
  }
  return jobs[0].changed || jobs[1].changed;
}
