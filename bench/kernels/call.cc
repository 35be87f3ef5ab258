// Kernels compiled in this process (call.h).
#include "bench/kernels/call.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "compiler/codegen/prefetch.h"
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

constexpr size_t kAlignment = 64, kHugePage = 2 << 20;

size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// Shapes of a kernel's buffers, and what they take.
struct Shape {
  Halide::Type type;
  std::vector<int> extents;
  size_t bytes;
};

Shape shape_of(const Type& type, const Layout& layout, int64_t batch) {
  Shape shape{halide_type(type.dtype), {}, static_cast<size_t>(size_bytes(type.dtype))};
  for (int64_t extent : memory_extents(type, layout)) {
    const int64_t images = std::max<int64_t>(layout.images, 1), blocks = (batch + images - 1) / images;
    shape.extents.push_back(static_cast<int>(extent == kBatch ? blocks : extent));
    shape.bytes *= static_cast<size_t>(shape.extents.back());
  }
  shape.bytes = round_up(shape.bytes, kAlignment);
  return shape;
}

std::vector<Shape> shapes_of(const Kernel& kernel, int64_t batch) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    shapes.push_back(shape_of(kernel.body.type(kernel.inputs[i]), kernel.input_layouts[i], batch));
  }
  for (size_t i = 0; i < kernel.body.outputs.size(); ++i) {
    shapes.push_back(shape_of(kernel.body.type(kernel.body.outputs[i]), kernel.output_layouts[i], batch));
  }
  return shapes;
}

// Twice what the last cache holds, or a common one.
size_t cold_bytes() {
  constexpr long kCommonBytes = 32 << 20;
  return 2 * static_cast<size_t>(std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), kCommonBytes));
}

Halide::Buffer<> make_buffer(const Shape& shape, uint8_t* memory) {
  Halide::Buffer<> buffer(shape.type, memory, shape.extents);
  if (shape.type == Halide::Float(32)) {
    fill(buffer.as<float>());
  } else {
    memset(memory, 0, shape.bytes);
  }
  return buffer;
}

void make_sets(const std::vector<Shape>& shapes, Operands operands, CompiledKernel& kernel) {
  size_t bytes = 0;
  for (const Shape& shape : shapes) bytes += shape.bytes;
  const size_t sets = operands == Operands::kHot ? 1 : cold_bytes() / bytes + 2;
  const size_t all = round_up(sets * bytes, kHugePage);
  kernel.memory.reset(static_cast<uint8_t*>(std::aligned_alloc(kHugePage, all)));
  madvise(kernel.memory.get(), all, MADV_HUGEPAGE);
  uint8_t* memory = kernel.memory.get();
  for (size_t set = 0; set < sets; ++set) {
    Buffers& buffers = kernel.sets.emplace_back();
    for (const Shape& shape : shapes) {
      buffers.push_back(make_buffer(shape, memory));
      memory += shape.bytes;
    }
  }
}

}  // namespace

CompiledKernel compile(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs,
                       const TargetSpec& target, int64_t batch, Operands operands, const std::string& assembly) {
  Kernel packed = kernel;
  const PreferredLayouts layouts = schedule.layouts(kernel, knobs, target);
  const auto wish = [](std::vector<Layout>& given, const std::vector<Layout>& wished) {
    for (size_t i = 0; i < given.size(); ++i) given[i] = given[i].plain() ? wished[i] : given[i];
  };
  wish(packed.input_layouts, layouts.inputs);
  wish(packed.output_layouts, layouts.outputs);
  BuiltKernel built = schedule.build(packed, knobs, target).value();
  add_prefetches(built.pipeline, built.streams);
  const Halide::Target release(target.halide_target + "-no_asserts-no_bounds_query");
  if (!assembly.empty()) {
    built.pipeline.compile_to(
        {{Halide::OutputFileType::assembly, assembly + ".s"}, {Halide::OutputFileType::stmt, assembly + ".stmt"}},
        built.arguments, "kernel", release);
  }
  CompiledKernel compiled{.callable = built.pipeline.compile_to_callable(built.arguments, release),
                          .memory = {nullptr, &std::free},
                          .sets = {}};
  make_sets(shapes_of(packed, batch), operands, compiled);
  return compiled;
}

void call(CompiledKernel& kernel) {
  Halide::JITUserContext context, *context_pointer = &context;
  std::vector<const void*> arguments = {&context_pointer};
  const size_t set = kernel.next++ % kernel.sets.size();
  for (Halide::Buffer<>& buffer : kernel.sets[set]) arguments.push_back(buffer.raw_buffer());
  kernel.callable.call_argv_fast(arguments.size(), arguments.data());
}

}  // namespace convoke::bench
