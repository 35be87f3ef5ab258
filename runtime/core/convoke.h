/* The C ABI of a library that Convoke has generated. The generated <model>.h holds this text and declares
 *
 *     const convoke_library *<model>_library(void);
 *
 * the library's only exported symbol. Three kinds of objects:
 *   weights  parameters, running statistics and prepared forms; many contexts share one. Written by weights_set,
 *            weights_initialize, a training forward (statistics) and update; read-only during infer.
 *   context  activations, and for training gradients and moments. One thread at a time.
 *   pool     threads; contexts of any libraries of the same ABI version may share one.
 * After creation nothing allocates. Every function that can fail returns a convoke_code and, when `error` is not NULL,
 * writes the same code and a message there. Nothing aborts, throws or prints. Needs glibc >= 2.34 at run time.
 */
#ifndef CONVOKE_ABI_VERSION
#define CONVOKE_ABI_VERSION 5
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum convoke_code {
  CONVOKE_OK = 0,
  CONVOKE_INVALID_ARGUMENT = 1,
  CONVOKE_OUT_OF_MEMORY = 2,
  CONVOKE_UNSUPPORTED_CPU = 3,     /* the message names the missing feature */
  CONVOKE_FAILED_PRECONDITION = 4, /* e.g. backward without its forward */
  CONVOKE_NOT_FINITE = 5,          /* loss or gradient; the update was not applied */
  CONVOKE_INTERNAL = 6,
  CONVOKE_IO = 7 /* a file; the message has its path and the system's reason */
} convoke_code;

typedef struct convoke_error {
  int32_t code;
  char message[252];
} convoke_error;

typedef enum convoke_dtype { CONVOKE_F32 = 0, CONVOKE_I32 = 1, CONVOKE_U8 = 2 } convoke_dtype;
typedef enum convoke_layout { CONVOKE_NHWC = 0, CONVOKE_NCHW = 1 } convoke_layout;

/* How weights_initialize fills a tensor, from a counter-based generator (Philox), the same on every machine. */
typedef enum convoke_init { CONVOKE_ZEROS = 0, CONVOKE_ONES = 1, CONVOKE_UNIFORM = 2, CONVOKE_NORMAL = 3 } convoke_init;

typedef struct convoke_tensor {
  const char* name; /* the state-dict path for parameters and state: "layer1.0.conv1.weight" */
  int32_t dtype;
  int32_t rank;
  int64_t dims[8];  /* logical: images NHWC, convolution weights OIHW, linear weights [out, in]; dims[0] == -1 is n */
  int64_t elems;    /* product of dims without the batch */
  int32_t init;     /* convoke_init */
  float init_value; /* UNIFORM: in [-v, v); NORMAL: standard deviation */
} convoke_tensor;

/* A row of the plan: one call of a kernel. */
typedef enum convoke_program {
  CONVOKE_PREPARE = 0,
  CONVOKE_INFER = 1,
  CONVOKE_FORWARD = 2,
  CONVOKE_LOSS = 3,
  CONVOKE_BACKWARD = 4,
  CONVOKE_UPDATE = 5
} convoke_program;
typedef struct convoke_row {
  const char* name;     /* the layers it computes, "conv1+relu1" */
  const char* schedule; /* template and knobs */
  int32_t program;
  int64_t flops_per_sample, flops_per_call;
  int64_t bytes_per_sample, bytes_per_call; /* read and written */
} convoke_row;

typedef struct convoke_model {
  const char *name, *target;
  int32_t capacity;     /* largest n of a call */
  int32_t has_training; /* forward, backward, update exist */
  int32_t input_count, output_count, parameter_count, state_count, row_count, moment_count;
  const convoke_tensor *inputs, *outputs, *parameters, *states; /* states: running statistics */
  const char* const* moment_names;                              /* "momentum" or "exp_avg", "exp_avg_sq" */
  const convoke_row* rows;
  int64_t weights_bytes, inference_context_bytes, training_context_bytes, scratch_bytes_per_thread;
  /* infer_image: the input's size in `inputs[0]`; x = (pixel * image_scale - image_mean[c]) / image_std[c] */
  int32_t has_image;
  float image_scale, image_mean[4], image_std[4];
  int32_t class_count;
  const char* const* class_names; /* NULL when the recipe named none */
} convoke_model;

typedef struct convoke_weights convoke_weights;
typedef struct convoke_context convoke_context;
typedef struct convoke_pool convoke_pool;

/* Host threads: call task(argument, i) for every i in [0, count), in any order and on any threads, then return. */
typedef void (*convoke_parallel_for)(void* host, int32_t count, void (*task)(void* argument, int32_t i),
                                     void* argument);

typedef struct convoke_context_options {
  int32_t training;                  /* 1: gradients, moments and kept activations too */
  int32_t threads;                   /* at most so many work on a call, the caller included; 0 means 1 */
  int32_t input_layout;              /* convoke_layout of the images given to this context */
  convoke_pool* pool;                /* shared pool, or NULL: with threads > 1 the context makes its own */
  convoke_parallel_for parallel_for; /* or the host's threads (pool must be NULL) */
  void* host;
} convoke_context_options;

typedef struct convoke_step {
  int32_t accumulate; /* 0: gradients start from zero; 1: are added to */
  float scale;        /* of this micro-batch's gradients; 1 for a plain step */
  uint64_t seed;      /* of the forward pass's random numbers (dropout): equal seeds, equal masks; 0: the number of this
                         context's training passes so far */
} convoke_step;

typedef struct convoke_metrics {
  float loss;     /* mean over the n samples */
  float accuracy; /* of the first output */
} convoke_metrics;

typedef struct convoke_update {
  float learning_rate;
  int64_t step;            /* from 1: Adam's bias correction */
  float max_gradient_norm; /* 0: no clipping */
} convoke_update;

typedef enum convoke_field { CONVOKE_GRADIENT = 0, CONVOKE_MOMENT_0 = 1, CONVOKE_MOMENT_1 = 2 } convoke_field;

typedef struct convoke_library {
  uint32_t abi_version; /* compare with CONVOKE_ABI_VERSION before anything else */
  uint32_t struct_bytes;
  const convoke_model* model;

  int32_t (*check_cpu)(convoke_error* error); /* the create functions ask it too */

  int32_t (*pool_create)(int32_t threads, convoke_pool** pool, convoke_error* error); /* 1..64, the caller included */
  void (*pool_destroy)(convoke_pool* pool);

  int32_t (*weights_create)(convoke_weights** weights, convoke_error* error); /* zeros */
  void (*weights_destroy)(convoke_weights* weights);
  /* Parameters are tensors 0 .. parameter_count-1, states follow. Data in logical order, `elems` of them. */
  int32_t (*weights_set)(convoke_weights* weights, int32_t tensor, const float* data, int64_t elems,
                         convoke_error* error);
  int32_t (*weights_get)(const convoke_weights* weights, int32_t tensor, float* data, int64_t elems,
                         convoke_error* error);
  void (*weights_initialize)(convoke_weights* weights, uint64_t seed);
  /* The context's weights, prepared, to a file of model->weights_bytes; what stands at `path` is replaced when all is
   * written. Like infer it only reads prepared weights; one call at a time for a path. */
  int32_t (*weights_save)(convoke_context* context, const char* path, convoke_error* error);
  /* Weights from such a file, for the library that wrote it (or was compiled from the same model in the same way). It
   * is mapped, not read: they are ready at once, processes share its pages, and what is written to them later stays in
   * this process. The file's content must not change before they are destroyed; weights_save does not change it. */
  int32_t (*weights_open)(const char* path, convoke_weights** weights, convoke_error* error);

  int32_t (*context_create)(convoke_weights* weights, const convoke_context_options* options, convoke_context** context,
                            convoke_error* error);
  void (*context_destroy)(convoke_context* context);

  /* inputs[i] and outputs[i] as model->inputs[i] and model->outputs[i], n samples each, any alignment. NULL outputs (or
   * a NULL entry) are not copied. */
  int32_t (*infer)(convoke_context* context, int32_t n, const void* const* inputs, void* const* outputs,
                   convoke_error* error);
  /* n images of 8-bit pixels, HWC, of the input's size; transformed as in evaluation. */
  int32_t (*infer_image)(convoke_context* context, int32_t n, const uint8_t* pixels, void* const* outputs,
                         convoke_error* error);

  /* One training pass: outputs in training mode (running statistics are updated), mean loss, gradients. `step` NULL
   * means {0, 1, 0}; `metrics` may be NULL. Labels: n class indices. */
  int32_t (*forward_backward)(convoke_context* context, int32_t n, const void* const* inputs, const int32_t* labels,
                              const convoke_step* step, convoke_metrics* metrics, convoke_error* error);
  int32_t (*forward)(convoke_context* context, int32_t n, const void* const* inputs, void* const* outputs,
                     convoke_error* error);
  /* From the caller's gradient of each output, for the n of the forward just before on this context. */
  int32_t (*backward)(convoke_context* context, const void* const* output_gradients, const convoke_step* step,
                      convoke_error* error);
  int32_t (*update)(convoke_context* context, const convoke_update* update, float* gradient_norm, convoke_error* error);

  /* Gradient or moment of a parameter, logical order. */
  int32_t (*field_get)(const convoke_context* context, int32_t field, int32_t parameter, float* data, int64_t elems,
                       convoke_error* error);
  int32_t (*field_set)(convoke_context* context, int32_t field, int32_t parameter, const float* data, int64_t elems,
                       convoke_error* error);

  /* After each kernel that computes `name`, n samples of it are copied to `data` (logical order, f32); NULL ends it. A
   * name that was fused away is an error that names the kernel (compile with --keep). At most 16 at a time. `program`
   * is a convoke_program; `elems` the room in `data`. */
  int32_t (*capture)(convoke_context* context, int32_t program, const char* name, float* data, int64_t elems,
                     convoke_error* error);
  /* Starts (1) or stops (0) timing; starting clears. row_ns: total nanoseconds of each of the model's rows. */
  void (*profile)(convoke_context* context, int32_t enable);
  void (*profile_read)(const convoke_context* context, uint64_t* row_ns, uint64_t* row_calls);
} convoke_library;

#ifdef __cplusplus
}
#endif
#endif
