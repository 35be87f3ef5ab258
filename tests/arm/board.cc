#include "tests/arm/board.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>

#include "compiler/driver/compile_model.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

struct Outcome {
  int code;
  std::string text;  // stdout and stderr
};

Outcome run_command(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  Outcome outcome{};
  char buffer[512];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) outcome.text.append(buffer, got);
  const int state = pclose(pipe);
  outcome.code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
  return outcome;
}

void require_ok(const Status& status) { REQUIRE_MESSAGE(status.ok(), status.message()); }

std::string folder() { return std::string(CONVOKE_BINARY_DIR) + "/arm"; }

// What starts convoke-run there.
std::string emit_program(const TargetSpec& target) {
  const std::string path = folder() + "/convoke-run";
  require_ok(make_directories(folder()));
  require_ok(emit_convoke_run(target, path));
  return target.runner + " " + path;
}

void run_program(const CompiledLibrary& library, const std::string& arguments, const std::vector<NamedTensor>& input,
                 const std::string& out) {
  static const std::string program = emit_program(find_target(kBoard).value());
  const TemporaryDirectory files = TemporaryDirectory::make().value();
  const std::string in = files.path() + "/in";
  const size_t mode_end = std::min(arguments.find(' '), arguments.size());
  require_ok(write_file_atomic(in, serialize_tensors(input)));
  const Outcome outcome = run_command(program + " " + library.library_path + " " + arguments.substr(0, mode_end) + " " +
                                      in + " " + out + arguments.substr(mode_end));
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
}

template <typename T>
void append(const std::string& bytes, Tensor& tensor) {
  const T* values = reinterpret_cast<const T*>(bytes.data());
  tensor.data.assign(values, values + bytes.size() / sizeof(T));
}

Tensor to_tensor(const NamedTensor& named) {
  Tensor tensor(named.dims);
  if (named.dtype == CONVOKE_F32) append<float>(named.bytes, tensor);
  if (named.dtype == CONVOKE_I32) append<int32_t>(named.bytes, tensor);
  if (named.dtype == CONVOKE_U8) append<uint8_t>(named.bytes, tensor);
  return tensor;
}

}  // namespace

CodegenOptions board_options(const std::string& name) {
  return {.output_directory = folder() + "/" + name, .cache_directory = user_cache_directory()};
}

NamedTensor to_named(std::string name, DType dtype, const Tensor& tensor) {
  if (dtype == DType::kF32) return f32_tensor(std::move(name), tensor.dims, {tensor.data.begin(), tensor.data.end()});
  if (dtype == DType::kI32) return i32_tensor(std::move(name), tensor.dims, {tensor.data.begin(), tensor.data.end()});
  return {std::move(name), CONVOKE_U8, tensor.dims, {tensor.data.begin(), tensor.data.end()}};
}

Environment run_on_board(const CompiledLibrary& library, const std::string& arguments,
                         const std::vector<NamedTensor>& input) {
  const TemporaryDirectory files = TemporaryDirectory::make().value();
  const std::string out = files.path() + "/out";
  run_program(library, arguments, input, out);
  const Result<std::vector<NamedTensor>> output = parse_tensors(read_file(out).value());
  require_ok(output.status());
  Environment tensors;
  for (const NamedTensor& named : *output) tensors[named.name] = to_tensor(named);
  return tensors;
}

void save_on_board(const CompiledLibrary& library, const std::vector<NamedTensor>& input, const std::string& path) {
  run_program(library, "save", input, path);
}

}  // namespace convoke
