// Times single kernels, by default each with the template and knobs that lookup gives it, against the FMA peak of this
// core:
//
//   HL_NUM_THREADS=1 bench_kernels --benchmark_filter=conv2d/64x56 [--template=conv2d_direct] [--knobs="pixels=14
//   rows=4"]
//                                  [--cold] [--images] [--assembly=DIR] [--benchmark_format=json]
//
// --cold: each call finds its operands out of the caches, as inference of one sample finds a network's weights.
// --images: images lie innermost, in blocks of a vector.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <charconv>
#include <chrono>
#include <cstring>
#include <sstream>

#include "bench/kernels/call.h"
#include "bench/kernels/layers.h"
#include "schedules/database/lookup.h"
#include "schedules/tuner/rates.h"

namespace convoke::bench {
namespace {

struct Options {
  std::string template_name, assembly;
  Knobs knobs;  // in place of the defaults
  Operands operands = Operands::kHot;
  bool images = false;
};

// Gives the weight or its gradient the layout that the forward kernel wishes for.
Kernel with_layouts(const Work& work, const TargetSpec& target) {
  Kernel kernel = work.kernel;
  if (!work.forward || image_block(kernel) > 0) return kernel;
  const Kernel& forward = *work.forward;
  const Layout layout = lookup(forward, batch_class(work.batch), target).value().layouts.inputs[1];
  const Type& weight = forward.body.type(forward.inputs[1]);
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    if (kernel.body.type(kernel.inputs[i]) == weight) kernel.input_layouts[i] = layout;
  }
  for (size_t i = 0; i < kernel.body.outputs.size(); ++i) {
    if (kernel.body.type(kernel.body.outputs[i]) == weight) kernel.output_layouts[i] = layout;
  }
  return kernel;
}

void run(benchmark::State& state, Work work, const TargetSpec& target, double peak, const Options& options) {
  if (options.images) work.kernel = in_image_blocks(std::move(work.kernel), target.vector_lanes);
  const Result<Instance> instance =
      lookup(work.kernel, batch_class(work.batch), target, {.only = options.template_name});
  if (!instance.ok()) return state.SkipWithError(instance.status().message().c_str());
  const ScheduleTemplate* schedule = find_template(instance->template_name);
  Knobs knobs = instance->knobs;
  for (const auto& [name, value] : options.knobs) knobs[name] = value;
  std::string assembly = work.name;
  std::replace(assembly.begin(), assembly.end(), '/', '_');
  const auto start = std::chrono::steady_clock::now();
  CompiledKernel kernel = compile(with_layouts(work, target), *schedule, knobs, target, work.batch, options.operands,
                                  options.assembly.empty() ? "" : options.assembly + "/" + assembly);
  state.counters["compile_s"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (auto _ : state) call(kernel);
  const Cost per = cost(work.kernel);
  const auto flops = static_cast<double>((per.flops_per_sample * work.batch + per.flops_per_call) * state.iterations());
  const auto bytes = static_cast<double>((per.bytes_per_sample * work.batch + per.bytes_per_call) * state.iterations());
  state.counters["GB/s"] = benchmark::Counter(bytes / 1e9, benchmark::Counter::kIsRate);
  state.counters["GFLOP/s"] = benchmark::Counter(flops / 1e9, benchmark::Counter::kIsRate);
  state.counters["%peak"] = benchmark::Counter(flops / peak * 100, benchmark::Counter::kIsRate);
  state.SetLabel(fmt::format("{} {}", schedule->name, to_string(knobs)));
}

// Takes our options out of the arguments.
Options take_options(int& argc, char** argv) {
  Options options;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--template=")) {
      options.template_name = argument.substr(11);
    } else if (argument.starts_with("--assembly=")) {
      options.assembly = argument.substr(11);
    } else if (argument == "--cold") {
      options.operands = Operands::kCold;
    } else if (argument == "--images") {
      options.images = true;
    } else if (argument.starts_with("--knobs=")) {
      std::istringstream words{std::string(argument.substr(8))};
      for (std::string word; words >> word;)
        options.knobs[word.substr(0, word.find('='))] = std::stoll(word.substr(word.find('=') + 1));
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return options;
}

int run_all(int argc, char** argv) {
  const Options options = take_options(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const TargetSpec target = find_target("host").value();
  const double peak = 1e9 * fma_peak_gflops();
  benchmark::AddCustomContext("operands", options.operands == Operands::kCold ? "cold" : "hot");
  benchmark::AddCustomContext("fma_peak_gflops", fmt::format("{:.1f}", peak / 1e9));
  const std::vector<Work> work = all_work();
  for (const Work& one : work) {
    benchmark::RegisterBenchmark(one.name.c_str(),
                                 [&](benchmark::State& state) { run(state, one, target, peak, options); })
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.1);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace convoke::bench

int main(int argc, char** argv) {
  // Scratch comes from the heap here, from a slab in libraries: keep its pages, or page faults are what is timed.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  try {
    return convoke::bench::run_all(argc, argv);
  } catch (const Halide::Error& error) {
    std::fputs(error.what(), stderr);
    return 1;
  }
}
