// The functions behind the table in library.cc; contracts in convoke.h.
#pragma once

#include "runtime/core/state.h"

namespace convoke::core {

int32_t check_cpu(convoke_error* error);  // cpu.cc

// weights.cc
int32_t weights_create(convoke_weights** weights, convoke_error* error);
convoke_weights* weights_in(uint8_t* mapping);  // of weights_layout's size; the arenas are as they are
void weights_destroy(convoke_weights* weights);
int32_t weights_set(convoke_weights* weights, int32_t tensor, const float* data, int64_t elems, convoke_error* error);
int32_t weights_get(const convoke_weights* weights, int32_t tensor, float* data, int64_t elems, convoke_error* error);
void weights_initialize(convoke_weights* weights, uint64_t seed);  // initialize.cc
void mark_written(convoke_weights* weights);                       // parameters have changed
void mark_stale(convoke_weights* weights);                         // prepared forms no longer hold
int32_t prepare(convoke_context* context, convoke_error* error);   // makes them hold

// weights_file.cc
int32_t weights_save(convoke_context* context, const char* path, convoke_error* error);
int32_t weights_open(const char* path, convoke_weights** weights, convoke_error* error);

// context.cc
int32_t context_create(convoke_weights* weights, const convoke_context_options* options, convoke_context** context,
                       convoke_error* error);
void context_destroy(convoke_context* context);
void set_batch(convoke_context* context, int32_t n);

// Samples [first, first + count) of a call's.
struct Samples {
  int32_t first, count;
};
// Makes a band's rows work on these; [0, n) ends that.
void bind_samples(convoke_context* context, const Band& band, Samples samples);

// executor.cc: all rows of a program, or one for all samples.
int32_t run_program(convoke_context* context, convoke_program program, convoke_error* error);
int32_t run_row(convoke_context* context, int32_t row, convoke_error* error);

// inference.cc
int32_t infer(convoke_context* context, int32_t n, const void* const* inputs, void* const* outputs,
              convoke_error* error);
int32_t infer_image(convoke_context* context, int32_t n, const uint8_t* pixels, void* const* outputs,
                    convoke_error* error);
int32_t check_inputs(const convoke_context* context, const char* call, int32_t n, const void* const* inputs,
                     convoke_error* error);
void copy_inputs(convoke_context* context, const int32_t* buffers, const void* const* inputs);
void copy_outputs(const convoke_context* context, const int32_t* buffers, void* const* outputs);

// training.cc
int32_t forward_backward(convoke_context* context, int32_t n, const void* const* inputs, const int32_t* labels,
                         const convoke_step* step, convoke_metrics* metrics, convoke_error* error);
int32_t forward(convoke_context* context, int32_t n, const void* const* inputs, void* const* outputs,
                convoke_error* error);
int32_t backward(convoke_context* context, const void* const* output_gradients, const convoke_step* step,
                 convoke_error* error);
int32_t field_get(const convoke_context* context, int32_t field, int32_t parameter, float* data, int64_t elems,
                  convoke_error* error);
int32_t field_set(convoke_context* context, int32_t field, int32_t parameter, const float* data, int64_t elems,
                  convoke_error* error);
int32_t update(convoke_context* context, const convoke_update* options, float* gradient_norm,
               convoke_error* error);  // update.cc

// observe.cc
int32_t capture(convoke_context* context, int32_t program, const char* name, float* data, int64_t elems,
                convoke_error* error);
int32_t check_captures(const convoke_context* context, convoke_program program, convoke_error* error);
void copy_captures(const convoke_context* context, int32_t row, Samples samples);
void profile(convoke_context* context, int32_t enable);
void profile_read(const convoke_context* context, uint64_t* row_ns, uint64_t* row_calls);

}  // namespace convoke::core
