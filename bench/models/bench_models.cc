// Times whole models as libraries, inference and training steps, by Google Benchmark; compare two runs with its
// compare.py:
//
//   bench_models [--benchmark_filter=lenet] [--benchmark_format=json]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "compiler/driver/compile_model.h"
#include "compiler/driver/workload.h"
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

Result<Workload> make_workload(const Case& one, const std::string& folder) {
  const ModelOptions options{.model = fmt::format("model_defs/models/{}.textproto", one.model),
                             .input = one.input,
                             .batch = one.work.n,
                             .training = one.work.train};
  ASSIGN_OR_RETURN(const CompiledLibrary compiled,
                   compile_model(options, {.output_directory = folder, .cache_directory = user_cache_directory()}));
  ASSIGN_OR_RETURN(const Library library, Library::open(compiled.library_path));
  return Workload::make(library, one.work);
}

void run(benchmark::State& state, const Case& one) {
  const Result<TemporaryDirectory> folder = TemporaryDirectory::make();
  if (!folder.ok()) return state.SkipWithError(folder.status().message().c_str());
  Result<Workload> workload = make_workload(one, folder->path());
  if (!workload.ok()) return state.SkipWithError(workload.status().message().c_str());
  for (auto _ : state) {
    if (const Status status = workload->step(); !status.ok()) return state.SkipWithError(status.message().c_str());
  }
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
