// A tiny library as it is used: loaded here, run by convoke-run on both architectures, looked at with readelf, compiled
// twice.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <filesystem>

#include "compiler/codegen/child.h"
#include "compiler/codegen/embedded.h"
#include "runtime/base/file.h"
#include "runtime/io/tensor_file.h"
#include "tests/codegen/count_of.h"
#include "tests/codegen/tiny_model.h"

using namespace convoke;

namespace {

CompiledLibrary compile(const std::string& target_name, const std::string& folder, const std::string& cache = "",
                        Symbols symbols = Symbols::kKeep) {
  const TargetSpec target = target_named(target_name);
  const TinyModel tiny = tiny_model(target);
  const Result<CompiledLibrary> library =
      compile_library(tiny.plan, tiny.description, target,
                      {.output_directory = folder, .cache_directory = cache, .symbols = symbols, .progress = {}});
  REQUIRE_MESSAGE(library.ok(), library.status().message());
  return *library;
}

std::string contents(const std::string& path) {
  Result<std::string> bytes = read_file(path);
  REQUIRE(bytes.ok());
  return *bytes;
}

void check_near(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

void check_description(const convoke_model& model) {
  CHECK(std::string(model.name) == "tiny-net");
  CHECK(model.capacity == kCapacity);
  CHECK(model.parameter_count == 4);
  CHECK(std::string(model.parameters[2].name) == "fc2.weight");
  CHECK(model.parameters[2].dims[1] == kHidden);
  CHECK(model.parameters[0].init == CONVOKE_UNIFORM);
  CHECK(model.parameters[0].init_value == 0.25f);
  CHECK(model.inputs[0].dims[0] == -1);
  CHECK(model.outputs[0].elems == kClasses);
  CHECK(std::string(model.rows[1].name) == "fc2");
  CHECK(model.rows[1].flops_per_sample >= 2 * kHidden * kClasses);
  CHECK(model.has_image == 1);
  CHECK(model.image_mean[1] == 2.0f);
  CHECK(model.image_std[1] == 4.0f);
  CHECK(std::string(model.class_names[2]) == "coat");
}

void check_inference(const convoke_library& library, int n) {
  convoke_error error = {};
  convoke_weights* weights = nullptr;
  convoke_context* context = nullptr;
  REQUIRE_MESSAGE(library.weights_create(&weights, &error) == CONVOKE_OK, error.message);
  for (int t = 0; t < 4; ++t) {
    const std::vector<float> values = pattern(library.model->parameters[t].elems, t + 1);
    REQUIRE(library.weights_set(weights, t, values.data(), static_cast<int64_t>(values.size()), &error) == CONVOKE_OK);
  }
  const convoke_context_options options = {.training = 0, .threads = 2};
  REQUIRE_MESSAGE(library.context_create(weights, &options, &context, &error) == CONVOKE_OK, error.message);
  const std::vector<float> x = pattern(n * kFeatures, 5);
  std::vector<float> y(static_cast<size_t>(n * kClasses));
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  REQUIRE_MESSAGE(library.infer(context, n, inputs, outputs, &error) == CONVOKE_OK, error.message);
  check_near(y, expected_outputs(n));
  library.context_destroy(context);
  library.weights_destroy(weights);
}

void check_convoke_run(const std::string& target_name) {
  const TargetSpec target = target_named(target_name);
  const std::string folder = fresh_folder("run-" + target_name), program = folder + "/convoke-run";
  const Status emitted = emit_convoke_run(target, program);
  REQUIRE_MESSAGE(emitted.ok(), emitted.message());
  const CompiledLibrary library = compile(target_name, folder);
  const int n = 2 * kCapacity + 1;
  std::vector<NamedTensor> tensors = {f32_tensor("x", {n, kFeatures}, pattern(n * kFeatures, 5)),
                                      f32_tensor("fc1.weight", {kHidden, kFeatures}, pattern(kHidden * kFeatures, 1)),
                                      f32_tensor("fc1.bias", {kHidden}, pattern(kHidden, 2)),
                                      f32_tensor("fc2.weight", {kClasses, kHidden}, pattern(kClasses * kHidden, 3)),
                                      f32_tensor("fc2.bias", {kClasses}, pattern(kClasses, 4))};
  REQUIRE(write_file_atomic(folder + "/in", serialize_tensors(tensors)).ok());
  const Outcome outcome = run_command(target.runner + " " + program + " " + library.library_path + " infer " + folder +
                                      "/in " + folder + "/out --threads 2 --model tiny_net");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  const Result<std::vector<NamedTensor>> outputs = parse_tensors(contents(folder + "/out"));
  REQUIRE(outputs.ok());
  check_near(f32_values((*outputs)[0]), expected_outputs(n));
}

}  // namespace

TEST_CASE("a library is loaded, describes itself and infers") {
  const CompiledLibrary compiled = compile("x86-64-avx2", fresh_folder("native"));
  void* handle = dlopen(compiled.library_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE_MESSAGE(handle, dlerror());
  void* symbol = dlsym(handle, "tiny_net_library");
  REQUIRE(symbol);
  const convoke_library& library = *reinterpret_cast<const convoke_library* (*)()>(symbol)();
  CHECK(library.abi_version == CONVOKE_ABI_VERSION);
  check_description(*library.model);
  for (const int n : {1, 3, kCapacity}) check_inference(library, n);
  dlclose(handle);
}

TEST_CASE("the header states the model's constants and compiles as C") {
  const std::string folder = fresh_folder("header");
  const CompiledLibrary compiled = compile("x86-64-avx2", folder);
  const std::string header = contents(compiled.header_path);
  for (const char* line :
       {"#define TINY_NET_CAPACITY 5 ", "#define TINY_NET_INPUT_ELEMS 10 ", "#define TINY_NET_OUTPUT_ELEMS 3 ",
        "#define TINY_NET_CLASSES 3\n", "const convoke_library *tiny_net_library(void);"}) {
    CAPTURE(line);
    CHECK(header.find(line) != std::string::npos);
  }
  REQUIRE(write_file_atomic(folder + "/main.c",
                            "#include \"tiny_net.h\"\n"
                            "int main(void) { return tiny_net_library()->model->capacity - TINY_NET_CAPACITY; }\n")
              .ok());
  const Outcome outcome =
      run_command("cc -Wall -Wextra -Werror -pedantic -std=c99 " + folder + "/main.c " + compiled.library_path +
                  " -o " + folder + "/main && LD_LIBRARY_PATH=" + folder + " " + folder + "/main");
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
}

TEST_CASE("a library needs libc and libm at most and exports one symbol") {
  for (const char* target : {"x86-64-avx2", "arm-64"}) {
    CAPTURE(target);
    const CompiledLibrary compiled = compile(target, fresh_folder(std::string("elf-") + target), "", Symbols::kStrip);
    const std::string dynamic = run_command("readelf -dW " + compiled.library_path).text;
    CHECK(count_of(dynamic, "(NEEDED)") == count_of(dynamic, "[libc.so.6]") + count_of(dynamic, "[libm.so.6]"));
    CHECK(count_of(dynamic, "(TEXTREL)") == 0);
    const std::string defined = run_command("nm -D --defined-only " + compiled.library_path).text;
    CHECK(count_of(defined, "\n") == 1);
    CHECK(count_of(defined, " T tiny_net_library\n") == 1);
    CHECK(compiled.library_bytes < 100 << 10);
  }
}

TEST_CASE("the same bytes from empty caches, from a warm one and without one") {
  const std::string folder = fresh_folder("twice");
  std::vector<std::string> libraries;
  for (const char* cache : {"/cache-a", "/cache-b", "/cache-b", ""}) {
    const std::string out = folder + "/out" + std::to_string(libraries.size());
    const CompiledLibrary compiled = compile("x86-64-avx2", out, *cache ? folder + cache : "");
    CHECK(compiled.kernels_cached == (libraries.size() == 2 ? 2 : 0));
    libraries.push_back(contents(compiled.library_path));
  }
  for (const std::string& library : libraries) CHECK(library == libraries[0]);
}

TEST_CASE("damaged cache entries are compiled again") {
  const std::string folder = fresh_folder("damaged"), cache = folder + "/cache";
  const std::string fresh = contents(compile("x86-64-avx2", folder, cache).library_path);
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    std::string bytes = contents(entry.path());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    REQUIRE(write_file_atomic(entry.path(), bytes).ok());
  }
  const CompiledLibrary again = compile("x86-64-avx2", folder, cache);
  CHECK(again.kernels_compiled == 2);
  CHECK(contents(again.library_path) == fresh);
  for (const auto& entry : std::filesystem::directory_iterator(cache)) std::filesystem::resize_file(entry.path(), 7);
  CHECK(compile("x86-64-avx2", folder, cache).kernels_compiled == 2);
  CHECK(compile("x86-64-avx2", folder, cache).kernels_cached == 2);
}

TEST_CASE("compilers that share a cache at the same time make the same library") {
  const std::string folder = fresh_folder("shared");
  std::vector<std::string> libraries;
  run_in_children(
      4, 4,
      [&](int job) -> Result<std::string> {
        return contents(compile("x86-64-avx2", folder + "/out" + std::to_string(job), folder + "/cache").library_path);
      },
      [&](int, Result<std::string> library) {
        REQUIRE_MESSAGE(library.ok(), library.status().message());
        libraries.push_back(*library);
      });
  REQUIRE(libraries.size() == 4);
  for (const std::string& library : libraries) CHECK(library == libraries[0]);
}

TEST_CASE("convoke-run runs a library on this machine") { check_convoke_run("x86-64-avx2"); }

TEST_CASE("convoke-run runs an arm-64 library") { check_convoke_run("arm-64"); }

TEST_CASE("dumps: the lowered statement and the assembly of a kernel") {
  const TargetSpec target = target_named("arm-64");
  const TinyModel tiny = tiny_model(target);
  const Result<std::string> statement = lowered_statement(tiny.plan.kernels[0], target);
  REQUIRE_MESSAGE(statement.ok(), statement.status().message());
  CHECK(statement->find("produce ") != std::string::npos);
  const Result<std::string> text = assembly(tiny.plan.kernels[0], target);
  REQUIRE_MESSAGE(text.ok(), text.status().message());
  CHECK(text->find("kernel_argv:") != std::string::npos);
  CHECK(text->find("ldr") != std::string::npos);
}

TEST_CASE("errors name the kernel, the target or the path") {
  TargetSpec target = target_named("x86-64-avx2");
  const TinyModel tiny = tiny_model(target);
  const std::string folder = fresh_folder("errors");
  target.halide_target = "x86-64-linux-warp_drive";
  Result<CompiledLibrary> library = compile_library(tiny.plan, tiny.description, target, {.output_directory = folder});
  REQUIRE_FALSE(library.ok());
  CHECK(library.status().message().find("fc1 (small): target x86-64-avx2: Halide does not know") == 0);
  library =
      compile_library(tiny.plan, tiny.description, target_named("x86-64-avx2"), {.output_directory = "/proc/nowhere"});
  REQUIRE_FALSE(library.ok());
  CHECK(library.status().message().find("/proc/nowhere") != std::string::npos);
  TinyModel crashing = tiny;
  crashing.plan.kernels[1].instance.template_name = "nonesuch";
  library =
      compile_library(crashing.plan, crashing.description, target_named("x86-64-avx2"), {.output_directory = folder});
  REQUIRE_FALSE(library.ok());
  CHECK(library.status().message().find("fc2 (nonesuch): the compiling process ended with Aborted: ") == 0);
  CHECK(library.status().message().find("no schedule template nonesuch") != std::string::npos);
  CHECK_FALSE(core_object("sparc-sun-solaris").ok());
}
