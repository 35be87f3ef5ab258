// A worker without Python (../worker.py has the protocol): LeNet takes so little that a call of Python would count.
//
//   worker LIBRARY MODEL INPUT.npy REFERENCE.npy THREADS N CHANNELS HEIGHT WIDTH CLASSES
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void fail(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// The data of a .npy file of version 1: 8 bytes of magic, the header's length in 2, the header.
static void* read_npy(const char* path, size_t bytes) {
  FILE* file = fopen(path, "rb");
  uint8_t start[10];
  if (!file || fread(start, 1, 10, file) != 10) fail(path, "cannot be read");
  fseek(file, start[8] + 256 * start[9], SEEK_CUR);
  void* data = malloc(bytes);
  if (fread(data, 1, bytes, file) != bytes) fail(path, "too short");
  fclose(file);
  return data;
}

// max |y - r| / max |r|
static double difference(const float* y, const double* reference, int64_t elems) {
  double error = 0, scale = 0;
  for (int64_t i = 0; i < elems; ++i) {
    error = fmax(error, fabs(y[i] - reference[i]));
    scale = fmax(scale, fabs(reference[i]));
  }
  return error / scale;
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void measure(double duration) {
  enum { kMost = 1 << 22 };
  static double times[kMost];
  const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), begin = seconds(CLOCK_MONOTONIC);
  double now = begin;
  int calls = 0;
  while (calls == 0 || (now - begin < duration && calls < kMost)) {
    const double start = now;
    call_model();
    now = seconds(CLOCK_MONOTONIC);
    times[calls++] = now - start;
  }
  const double cores = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (now - begin);
  qsort(times, (size_t)calls, sizeof *times, compare);
  printf("{\"ms\": %.9g, \"cores\": %.3f}\n", 1000 * times[calls / 2], cores);
}

static long peak_bytes(void) {
  FILE* status = fopen("/proc/self/status", "r");
  char line[256];
  long kilobytes = 0;
  while (fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %ld", &kilobytes);
  fclose(status);
  return 1024 * kilobytes;
}

int main(int argc, char** argv) {
  if (argc != 11) fail(argv[0], "see worker.c for the arguments");
  const int threads = atoi(argv[5]);
  const sizes s = {atoi(argv[6]), atoi(argv[7]), atoi(argv[8]), atoi(argv[9]), atoi(argv[10])};
  const int64_t inputs = s.n * s.channels * s.height * s.width, outputs = s.n * s.classes;
  const float* x = read_npy(argv[3], (size_t)inputs * sizeof(float));
  const double* reference = read_npy(argv[4], (size_t)outputs * sizeof(double));
  float* y = calloc((size_t)outputs, sizeof(float));
  setvbuf(stdout, NULL, _IOLBF, 0);

  const long import_bytes = peak_bytes();
  const double start = seconds(CLOCK_MONOTONIC);
  open_model(argv[1], argv[2], &s, threads, x, y);
  call_model();
  const double first = seconds(CLOCK_MONOTONIC) - start;
  printf("{\"threads\": %d, \"first_ms\": %.6g, \"difference\": %.6g, \"import_bytes\": %ld}\n", threads, 1000 * first,
         difference(y, reference, outputs), import_bytes);
  char line[64];
  while (fgets(line, sizeof line, stdin)) measure(atof(line));
  printf("{\"peak_bytes\": %ld}\n", peak_bytes());
  return 0;
}
