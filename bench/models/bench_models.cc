// Times whole models as libraries, inference and training steps, by Google Benchmark; compare two runs with its
// compare.py:
//
//   bench_models [--benchmark_filter=lenet] [--benchmark_format=json]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "compiler/driver/compile_model.h"
#include "compiler/driver/profile.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

struct Case {
  const char* model;
  ImportOptions input;
  WorkloadOptions work;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    for (int32_t threads : {1, 2}) {
      list.push_back({"lenet", {}, {1, threads, false}});
      list.push_back({"lenet", {}, {64, threads, false}});
      list.push_back({"lenet", {}, {64, threads, true}});
      list.push_back({"resnet18_small", {28, 28, 1, 10}, {64, threads, true}});
      list.push_back({"resnet18", {}, {1, threads, false}});
      list.push_back({"resnet18", {}, {16, threads, false}});
      list.push_back({"resnet18", {32, 32, 3, 10}, {32, threads, true}});
      list.push_back({"resnet18", {}, {16, threads, true}});
    }
    return list;
  }();
  return all;
}

std::string name(const Case& one) {
  const ImportOptions& input = one.input;
  const std::string size = input.input_height == 0 ? "" : fmt::format("/{}x{}", input.input_height, input.input_width);
  return fmt::format("{}{}/{}/batch:{}/threads:{}", one.model, size, one.work.train ? "train" : "infer", one.work.n,
                     one.work.threads);
}

Result<Library> make_library(const Case& one, const std::string& folder) {
  const ModelOptions options{.model = fmt::format("model_defs/models/{}.textproto", one.model),
                             .input = one.input,
                             .batch = one.work.n,
                             .training = one.work.train};
  ASSIGN_OR_RETURN(const CompiledLibrary compiled,
                   compile_model(options, {.output_directory = folder, .cache_directory = user_cache_directory()}));
  return Library::open(compiled.library_path);
}

// Rates over the calls, beside what the machine gives now: what a call needs at least is its bound.
void count_work(benchmark::State& state, const Library& library, const WorkloadOptions& work) {
  using benchmark::Counter;
  const MachineRates machine = measure_machine(work.threads);
  const std::vector<RowTime> rows = call_work(library, work);
  const Spent call = total(rows);
  const auto rate = [](double per_call) { return Counter(per_call, Counter::kIsIterationInvariantRate); };
  state.counters["GFLOP/s"] = rate(call.flops / 1e9);
  state.counters["%peak"] = rate(100 * call.flops / 1e9 / machine.gflops);
  state.counters["GB/s"] = rate(call.bytes / 1e9);
  state.counters["%memory"] = rate(100 * call.bytes / 1e9 / machine.gigabytes_per_second);
  state.counters["%bound"] = rate(100 * bound_ms(rows, machine) / 1000);
}

void run(benchmark::State& state, const Case& one) {
  const Result<TemporaryDirectory> folder = TemporaryDirectory::make();
  if (!folder.ok()) return state.SkipWithError(folder.status().message().c_str());
  const Result<Library> library = make_library(one, folder->path());
  if (!library.ok()) return state.SkipWithError(library.status().message().c_str());
  Result<Workload> workload = Workload::make(*library, one.work);
  if (!workload.ok()) return state.SkipWithError(workload.status().message().c_str());
  for (auto _ : state) {
    if (const Status status = workload->step(); !status.ok()) return state.SkipWithError(status.message().c_str());
  }
  count_work(state, *library, one.work);
  state.SetItemsProcessed(state.iterations() * one.work.n);
}

}  // namespace
}  // namespace convoke

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const convoke::Case& one : convoke::cases()) {
    benchmark::RegisterBenchmark(convoke::name(one).c_str(), convoke::run, one)
        ->UseRealTime()
        ->MeasureProcessCPUTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
