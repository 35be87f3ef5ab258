// convoke-run: runs a generated library from files, on machines that have nothing but a C library. Reads tensors, calls
// the library, writes tensors and times.
#include "runtime/core/run/program.h"

namespace convoke::run {
namespace {

constexpr const char* kUsage =
    "usage: convoke-run LIBRARY.so MODE INPUT OUTPUT [options]\n"
    "  infer    inputs and weights by name -> outputs\n"
    "  forward  outputs in training mode; with every <output>.grad given also the backward pass\n"
    "  train    inputs and 'labels', --steps steps of --n samples -> loss, accuracy, parameters, states, gradients\n"
    "  save     weights -> OUTPUT is a .weights file, as the library prepares them here\n"
    "options: --n N  --threads T  --seed S (initialise first)  --steps N  --lr X  --clip X  --time REPEATS  --profile\n"
    "         --weights FILE.weights (instead of weights by name)\n"
    "         --model NAME (when the file is not called NAME.so)";

long integer(const char* option, const char* text, long least, long most) {
  char* end = nullptr;
  const long value = text ? strtol(text, &end, 10) : 0;
  if (!text || end == text || *end || value < least || value > most) {
    fail("%s wants a number from %ld to %ld, not '%s'", option, least, most, text ? text : "");
  }
  return value;
}

double number(const char* option, const char* text) {
  char* end = nullptr;
  const double value = text ? strtod(text, &end) : 0;
  if (!text || end == text || *end) fail("%s wants a number, not '%s'", option, text ? text : "");
  return value;
}

// True when `option` takes the value behind it.
bool set_option(Options& options, const char* option, const char* value) {
  constexpr long kMost = 1000000000;
  const auto is = [option](const char* name) { return strcmp(option, name) == 0; };
  if (is("--profile")) {
    options.profile = true;
    return false;
  }
  if (is("--n")) {
    options.n = static_cast<int32_t>(integer(option, value, 1, kMost));
  } else if (is("--threads")) {
    options.threads = static_cast<int32_t>(integer(option, value, 1, 64));
  } else if (is("--steps")) {
    options.steps = static_cast<int32_t>(integer(option, value, 0, kMost));
  } else if (is("--time")) {
    options.repeats = static_cast<int32_t>(integer(option, value, 1, kMost));
  } else if (is("--seed")) {
    options.initialize = true;
    options.seed = static_cast<uint64_t>(integer(option, value, 0, INT64_MAX));
  } else if (is("--lr")) {
    options.learning_rate = number(option, value);
  } else if (is("--clip")) {
    options.clip = number(option, value);
  } else if (is("--model")) {
    options.model = value;
  } else if (is("--weights")) {
    options.weights = value;
  } else {
    fail("unknown option %s\n%s", option, kUsage);
  }
  return true;
}

Options parse(int argc, char** argv) {
  Options options;
  const char** positional[] = {&options.library, &options.mode, &options.input, &options.output};
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] == '-' && argv[i][1] == '-') {
      i += set_option(options, argv[i], i + 1 < argc ? argv[i + 1] : nullptr);
    } else if (count < 4) {
      *positional[count++] = argv[i];
    } else {
      fail("unexpected '%s'\n%s", argv[i], kUsage);
    }
  }
  if (count < 4) fail("%s", kUsage);
  return options;
}

// "<dir>/<model>.so" -> "<model>_library"
void symbol_name(const Options& options, char* symbol, size_t bytes) {
  const char* slash = strrchr(options.library, '/');
  const char* name = options.model ? options.model : slash ? slash + 1 : options.library;
  size_t length = strlen(name);
  if (length > 3 && strcmp(name + length - 3, ".so") == 0) length -= 3;
  if (length + 16 > bytes) fail("%s: the name is too long", name);
  memcpy(symbol, name, length);
  for (size_t i = 0; i < length; ++i) {
    const char c = symbol[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9')) symbol[i] = '_';
  }
  memcpy(symbol + length, "_library", 9);
}

const convoke_library* open_library(const Options& options) {
  constexpr int kNow = 2;
  char symbol[256], path[4096];
  symbol_name(options, symbol, sizeof symbol);
  // Without a slash dlopen would look in the system's folders.
  const int length = snprintf(path, sizeof path, "%s%s", strrchr(options.library, '/') ? "" : "./", options.library);
  if (length >= static_cast<int>(sizeof path)) fail("%s: the path is too long", options.library);
  void* handle = dlopen(path, kNow);
  if (!handle) fail("%s", dlerror());
  const auto get = reinterpret_cast<const convoke_library* (*)()>(dlsym(handle, symbol));
  if (!get) fail("%s has no function %s: give the model's name with --model", path, symbol);
  const convoke_library* library = get();
  if (library->abi_version != CONVOKE_ABI_VERSION) {
    fail("%s has ABI version %u, this program knows %d", path, library->abi_version, CONVOKE_ABI_VERSION);
  }
  return library;
}

void load_weights(Program& program) {
  const convoke_model& model = *program.model;
  convoke_error error = {};
  if (program.options.weights) {
    if (program.options.initialize) fail("--weights and --seed exclude each other");
    check(program.library->weights_open(program.options.weights, &program.weights, &error), error);
    return;
  }
  check(program.library->weights_create(&program.weights, &error), error);
  if (program.options.initialize) program.library->weights_initialize(program.weights, program.options.seed);
  for (int32_t i = 0; i < model.parameter_count + model.state_count; ++i) {
    const convoke_tensor& tensor =
        i < model.parameter_count ? model.parameters[i] : model.states[i - model.parameter_count];
    const TensorView* given = find(program.input, tensor.name);
    if (!given && program.options.initialize) continue;
    if (!given) fail("%s has no tensor '%s' (--seed S initialises)", program.input.path, tensor.name);
    if (given->header.dtype != CONVOKE_F32) fail("%s: '%s' is not f32", program.input.path, tensor.name);
    check(program.library->weights_set(program.weights, i, reinterpret_cast<const float*>(given->data), given->elems,
                                       &error),
          error);
  }
}

// The number of samples from the first input; the others must agree.
void count_samples(Program& program) {
  const convoke_model& model = *program.model;
  for (int32_t i = 0; i < model.input_count; ++i) {
    const convoke_tensor& tensor = model.inputs[i];
    const TensorView* given = find(program.input, tensor.name);
    if (!given) fail("%s has no input '%s'", program.input.path, tensor.name);
    if (given->header.dtype != tensor.dtype) fail("%s: '%s' has another dtype", program.input.path, tensor.name);
    const int64_t samples = given->elems / tensor.elems;
    if (samples < 1 || samples * tensor.elems != given->elems || (i > 0 && samples != program.samples)) {
      fail("%s: '%s' has %lld elements, a sample has %lld", program.input.path, tensor.name,
           static_cast<long long>(given->elems), static_cast<long long>(tensor.elems));
    }
    program.samples = samples;
  }
  const int64_t fit = program.samples < model.capacity ? program.samples : model.capacity;
  program.n = program.options.n ? program.options.n : static_cast<int32_t>(fit);
  if (program.n > fit) {
    fail("--n is %d, there are %lld samples and room for %d", program.n, static_cast<long long>(program.samples),
         model.capacity);
  }
}

void report_profile(const Program& program) {
  const convoke_model& model = *program.model;
  uint64_t* ns = allocate<uint64_t>(model.row_count);
  uint64_t* calls = allocate<uint64_t>(model.row_count);
  program.library->profile_read(program.context, ns, calls);
  static constexpr const char* kPrograms[] = {"prepare", "infer", "forward", "loss", "backward", "update"};
  for (int32_t r = 0; r < model.row_count; ++r) {
    if (!calls[r]) continue;
    print("profile %s %llu ns x %llu %s [%s]", kPrograms[model.rows[r].program],
          static_cast<unsigned long long>(ns[r] / calls[r]), static_cast<unsigned long long>(calls[r]),
          model.rows[r].name, model.rows[r].schedule);
  }
}

int run(int argc, char** argv) {
  Program program = {};
  program.options = parse(argc, argv);
  const auto is = [&](const char* mode) { return strcmp(program.options.mode, mode) == 0; };
  const bool infers = is("infer"), saves = is("save");
  if (!infers && !saves && !is("forward") && !is("train")) fail("unknown mode '%s'\n%s", program.options.mode, kUsage);
  program.library = open_library(program.options);
  program.model = program.library->model;
  program.input = read_tensors(program.options.input);
  load_weights(program);
  if (!saves) count_samples(program);
  convoke_context_options options = {};
  options.training = !infers && !saves;
  options.threads = program.options.threads;
  convoke_error error = {};
  check(program.library->context_create(program.weights, &options, &program.context, &error), error);
  program.library->profile(program.context, program.options.profile);
  if (infers) {
    run_infer(program);
  } else if (saves) {
    check(program.library->weights_save(program.context, program.options.output, &error), error);
  } else if (is("forward")) {
    run_forward(program);
  } else {
    run_train(program);
  }
  if (program.options.profile) report_profile(program);
  return 0;
}

}  // namespace

void check(int32_t code, const convoke_error& error) {
  if (code != CONVOKE_OK) fail("%s", error.message);
}

}  // namespace convoke::run

// The name that codegen's _start calls: a freestanding compiler would mangle it.
int main(int argc, char** argv) __asm__("main");
int main(int argc, char** argv) { return convoke::run::run(argc, argv); }
