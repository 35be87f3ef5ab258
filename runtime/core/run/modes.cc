// The modes of convoke-run.
#include "runtime/core/libc.h"
#include "runtime/core/run/program.h"

namespace convoke::run {
namespace {

using core::now_ns;

int64_t element_bytes(const convoke_tensor& tensor) { return tensor.dtype == CONVOKE_U8 ? 1 : 4; }

// Room for `samples` of each output.
void** allocate_outputs(const Program& program, int64_t samples) {
  void** outputs = allocate<void*>(program.model->output_count);
  for (int32_t i = 0; i < program.model->output_count; ++i) {
    outputs[i] =
        allocate<uint8_t>(samples * program.model->outputs[i].elems * element_bytes(program.model->outputs[i]));
  }
  return outputs;
}

// The inputs from sample `first` on.
void input_pointers(const Program& program, int64_t first, const void** inputs) {
  for (int32_t i = 0; i < program.model->input_count; ++i) {
    const convoke_tensor& tensor = program.model->inputs[i];
    inputs[i] = find(program.input, tensor.name)->data + first * tensor.elems * element_bytes(tensor);
  }
}

uint64_t median(uint64_t* values, int32_t count) {
  for (int32_t gap = count / 2; gap > 0; gap /= 2) {
    for (int32_t i = gap; i < count; ++i) {
      for (int32_t j = i; j >= gap && values[j] < values[j - gap]; j -= gap) {
        const uint64_t value = values[j];
        values[j] = values[j - gap];
        values[j - gap] = value;
      }
    }
  }
  return values[count / 2];
}

// Prints the median time of a call.
template <class Call>
void report_time(const Program& program, const char* what, Call call) {
  const int32_t repeats = program.options.repeats;
  if (!repeats) return;
  uint64_t* times = allocate<uint64_t>(repeats);
  for (int32_t r = 0; r < repeats; ++r) {
    const uint64_t begin = now_ns();
    call();
    times[r] = now_ns() - begin;
  }
  print("%s_ns %llu", what, static_cast<unsigned long long>(median(times, repeats)));
}

// Infers all samples, n at a time.
void infer_all(const Program& program, void* const* outputs) {
  const void** inputs = allocate<const void*>(program.model->input_count);
  void** at = allocate<void*>(program.model->output_count);
  convoke_error error = {};
  for (int64_t first = 0; first < program.samples; first += program.n) {
    const int64_t rest = program.samples - first;
    input_pointers(program, first, inputs);
    for (int32_t i = 0; i < program.model->output_count; ++i) {
      const convoke_tensor& tensor = program.model->outputs[i];
      at[i] = static_cast<uint8_t*>(outputs[i]) + first * tensor.elems * element_bytes(tensor);
    }
    check(program.library->infer(program.context, static_cast<int32_t>(rest < program.n ? rest : program.n), inputs, at,
                                 &error),
          error);
  }
}

void write_outputs(const Program& program, TensorWriter& writer, void* const* outputs, int64_t samples) {
  for (int32_t i = 0; i < program.model->output_count; ++i) {
    writer.add(program.model->outputs[i], "", samples, outputs[i]);
  }
}

void write_field(const Program& program, TensorWriter& writer, int32_t field, const char* suffix) {
  for (int32_t p = 0; p < program.model->parameter_count; ++p) {
    const convoke_tensor& tensor = program.model->parameters[p];
    float* data = allocate<float>(tensor.elems);
    const int32_t code = program.library->field_get(program.context, field, p, data, tensor.elems, nullptr);
    if (code == CONVOKE_FAILED_PRECONDITION) continue;  // frozen: it has none
    writer.add(tensor, suffix, 0, data);
  }
}

void write_weights(const Program& program, TensorWriter& writer) {
  const convoke_model& model = *program.model;
  convoke_error error = {};
  for (int32_t i = 0; i < model.parameter_count + model.state_count; ++i) {
    const convoke_tensor& tensor =
        i < model.parameter_count ? model.parameters[i] : model.states[i - model.parameter_count];
    float* data = allocate<float>(tensor.elems);
    check(program.library->weights_get(program.weights, i, data, tensor.elems, &error), error);
    writer.add(tensor, "", 0, data);
  }
}

const int32_t* find_labels(const Program& program) {
  const TensorView* labels = find(program.input, "labels");
  if (!labels) fail("%s has no tensor 'labels'", program.input.path);
  if (labels->header.dtype != CONVOKE_I32 || labels->elems != program.samples) {
    fail("%s: 'labels' must be i32[%lld]", program.input.path, static_cast<long long>(program.samples));
  }
  return reinterpret_cast<const int32_t*>(labels->data);
}

// <output>.grad for each output; NULL: the file has none. Some but not all is an error.
const void** find_output_gradients(const Program& program) {
  const void** gradients = allocate<const void*>(program.model->output_count);
  int32_t found = 0;
  for (int32_t i = 0; i < program.model->output_count; ++i) {
    const convoke_tensor& tensor = program.model->outputs[i];
    char name[512];
    snprintf(name, sizeof name, "%s.grad", tensor.name);
    const TensorView* given = find(program.input, name);
    if (!given) continue;
    if (given->header.dtype != CONVOKE_F32 || given->elems < program.n * tensor.elems) {
      fail("%s: '%s' must be f32 of %d samples", program.input.path, name, program.n);
    }
    gradients[i] = given->data;
    ++found;
  }
  if (found && found != program.model->output_count) fail("%s lacks the gradient of an output", program.input.path);
  return found ? gradients : nullptr;
}

}  // namespace

void run_infer(Program& program) {
  void** outputs = allocate_outputs(program, program.samples);
  infer_all(program, outputs);
  TensorWriter writer(program.options.output);
  write_outputs(program, writer, outputs, program.samples);
  writer.finish();
  const void** inputs = allocate<const void*>(program.model->input_count);
  input_pointers(program, 0, inputs);
  report_time(program, "infer", [&] { program.library->infer(program.context, program.n, inputs, outputs, nullptr); });
}

void run_forward(Program& program) {
  const void** gradients = find_output_gradients(program);
  const void** inputs = allocate<const void*>(program.model->input_count);
  void** outputs = allocate_outputs(program, program.n);
  convoke_error error = {};
  input_pointers(program, 0, inputs);
  check(program.library->forward(program.context, program.n, inputs, outputs, &error), error);
  if (gradients) check(program.library->backward(program.context, gradients, nullptr, &error), error);
  TensorWriter writer(program.options.output);
  write_outputs(program, writer, outputs, program.n);
  write_weights(program, writer);
  if (gradients) write_field(program, writer, CONVOKE_GRADIENT, ".grad");
  writer.finish();
  report_time(program, "forward",
              [&] { program.library->forward(program.context, program.n, inputs, outputs, nullptr); });
}

// Step k takes the next n samples, over again from the start when they are used up; the last of a round may be fewer.
void run_train(Program& program) {
  const int32_t* labels = find_labels(program);
  const int32_t steps = program.options.steps;
  float* losses = allocate<float>(steps);
  float* accuracies = allocate<float>(steps);
  const void** inputs = allocate<const void*>(program.model->input_count);
  convoke_error error = {};
  convoke_update update = {static_cast<float>(program.options.learning_rate), 1,
                           static_cast<float>(program.options.clip)};
  int64_t first = 0;
  for (int32_t k = 0; k < steps; ++k, ++update.step) {
    const int64_t rest = program.samples - first;
    const int32_t n = static_cast<int32_t>(rest < program.n ? rest : program.n);
    convoke_metrics metrics = {};
    input_pointers(program, first, inputs);
    check(program.library->forward_backward(program.context, n, inputs, labels + first, nullptr, &metrics, &error),
          error);
    check(program.library->update(program.context, &update, nullptr, &error), error);
    losses[k] = metrics.loss;
    accuracies[k] = metrics.accuracy;
    print("step %d loss %.9g accuracy %.4f", k + 1, static_cast<double>(metrics.loss),
          static_cast<double>(metrics.accuracy));
    first = (first + n) % program.samples;
  }
  void** outputs = allocate_outputs(program, program.samples);
  infer_all(program, outputs);
  TensorWriter writer(program.options.output);
  const convoke_tensor loss = {"loss", CONVOKE_F32, 1, {-1}, 1, 0, 0},
                       accuracy = {"accuracy", CONVOKE_F32, 1, {-1}, 1, 0, 0};
  writer.add(loss, "", steps, losses);
  writer.add(accuracy, "", steps, accuracies);
  write_outputs(program, writer, outputs, program.samples);
  write_weights(program, writer);
  write_field(program, writer, CONVOKE_GRADIENT, ".grad");
  for (int32_t m = 0; m < program.model->moment_count; ++m) {
    char suffix[64];
    snprintf(suffix, sizeof suffix, ".%s", program.model->moment_names[m]);
    write_field(program, writer, CONVOKE_MOMENT_0 + m, suffix);
  }
  writer.finish();
  input_pointers(program, 0, inputs);
  report_time(program, "forward_backward", [&] {
    program.library->forward_backward(program.context, program.n, inputs, labels, nullptr, nullptr, nullptr);
  });
  report_time(program, "update", [&] { program.library->update(program.context, &update, nullptr, nullptr); });
}

}  // namespace convoke::run
