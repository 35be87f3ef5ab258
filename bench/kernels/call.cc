// Kernels compiled in this process (call.h).
#include "bench/kernels/call.h"

#include <cstring>

#include "compiler/ops/lower/lower.h"
#include "schedules/templates/body.h"

namespace convoke::bench {
namespace {

void fill(Halide::Buffer<float> buffer) {
  uint32_t state = 1;
  buffer.for_each_value([&](float& value) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 16) / 65536.0f - 0.5f;
  });
}

Halide::Buffer<> make_buffer(const Type& type, const Layout& layout, int64_t batch) {
  std::vector<int> extents;
  for (int64_t extent : memory_extents(type, layout))
    extents.push_back(static_cast<int>(extent == kBatch ? batch : extent));
  Halide::Buffer<> buffer(halide_type(type.dtype), extents);
  if (type.dtype == DType::kF32) fill(buffer.as<float>());
  if (type.dtype != DType::kF32) memset(buffer.data(), 0, buffer.size_in_bytes());
  return buffer;
}

}  // namespace

CompiledKernel compile(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                       const TargetSpec& target, int64_t batch, const std::string& assembly) {
  Kernel packed = kernel;
  const PreferredLayouts layouts = schedule.layouts(kernel, knobs, target);
  const auto wish = [](std::vector<Layout>& given, const std::vector<Layout>& wished) {
    for (size_t i = 0; i < given.size(); ++i) given[i] = wished[i].plain() ? given[i] : wished[i];
  };
  wish(packed.input_layouts, layouts.inputs);
  wish(packed.output_layouts, layouts.outputs);
  BuiltKernel built = schedule.build(packed, knobs, target).value();
  const Halide::Target release(target.halide_target + "-no_asserts-no_bounds_query");
  if (!assembly.empty()) {
    built.pipeline.compile_to(
        {{Halide::OutputFileType::assembly, assembly + ".s"}, {Halide::OutputFileType::stmt, assembly + ".stmt"}},
        built.arguments, "kernel", release);
  }
  CompiledKernel compiled{.callable = built.pipeline.compile_to_callable(built.arguments, release), .buffers = {}};
  for (size_t i = 0; i < packed.inputs.size(); ++i) {
    compiled.buffers.push_back(make_buffer(packed.body.type(packed.inputs[i]), packed.input_layouts[i], batch));
  }
  for (size_t i = 0; i < packed.body.outputs.size(); ++i) {
    compiled.buffers.push_back(make_buffer(packed.body.type(packed.body.outputs[i]), packed.output_layouts[i], batch));
  }
  return compiled;
}

void call(CompiledKernel& kernel) {
  Halide::JITUserContext context, *context_pointer = &context;
  std::vector<const void*> arguments = {&context_pointer};
  for (Halide::Buffer<>& buffer : kernel.buffers) arguments.push_back(buffer.raw_buffer());
  kernel.callable.call_argv_fast(arguments.size(), arguments.data());
}

}  // namespace convoke::bench
