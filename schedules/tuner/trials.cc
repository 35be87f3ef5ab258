#include "schedules/tuner/trials.h"

#include <algorithm>

#include "compiler/codegen/child.h"
#include "schedules/database/lookup.h"

namespace convoke {
namespace {

constexpr double kCompileSeconds = 60;
constexpr int64_t kVerifiedSamples = 3;  // more than one, and no multiple of a block of images
constexpr double kReferenceFlops = 5e8;  // a second or two

double flops(const Kernel& kernel, int64_t n) {
  const Cost work = cost(kernel);
  return static_cast<double>(work.flops_per_sample * n + work.flops_per_call);
}

double bytes(const Kernel& kernel, int64_t n) {
  const Cost work = cost(kernel);
  return static_cast<double>(work.bytes_per_sample * n + work.bytes_per_call);
}

}  // namespace

Trials::Trials(const TuneKernel& kernel, const TuneOptions& options, std::string folder)
    : kernel_(kernel), options_(options), folder_(std::move(folder)) {}

Result<std::string> Trials::compile_one(const Candidate& candidate, const std::string& folder) const {
  PlanKernel planned{kernels_.at(candidate),
                     make_instance(kernel_.planned.kernel, options_.target, candidate.template_name, candidate.knobs)};
  ASSIGN_OR_RETURN(const Workbench bench, make_workbench(planned, kernel_.storage, kernel_.n, options_.target));
  ASSIGN_OR_RETURN(
      const CompiledLibrary library,
      compile_library(bench.plan, bench.description, options_.target,
                      {.output_directory = folder, .cache_directory = options_.cache_directory, .workers = 1}));
  return library.library_path;
}

void Trials::compile(const std::vector<Candidate>& candidates) {
  std::vector<Candidate> missing;
  for (const Candidate& candidate : candidates) {
    if (libraries_.contains(candidate)) continue;
    const Instance instance =
        make_instance(kernel_.planned.kernel, options_.target, candidate.template_name, candidate.knobs);
    kernels_[candidate] = lay_out(kernel_.planned.kernel, kernel_.storage, instance);
    libraries_.emplace(candidate, internal_error("no child compiled it"));
    missing.push_back(candidate);
  }
  const size_t before = libraries_.size() - missing.size();
  run_in_children(
      static_cast<int>(missing.size()), options_.workers,
      [&](int job) {
        limit_seconds(kCompileSeconds);
        return compile_one(missing[static_cast<size_t>(job)],
                           folder_ + "/" + std::to_string(before + static_cast<size_t>(job)));
      },
      [&](int job, const Result<std::string>& path) { libraries_.at(missing[static_cast<size_t>(job)]) = path; });
}

Subject Trials::subject(const Candidate& candidate) const {
  const Kernel& kernel = kernels_.at(candidate);
  return {&kernel, libraries_.at(candidate).value(), kernel_.n, options_.threads, workbench_copies(kernel, kernel_.n)};
}

// Before calls are measured operands are made and stored, in memory that is new to the process.
double Trials::seconds_to_set_up(const Subject& subject) const {
  constexpr double kOfProcess = 3, kOfByte = 4e-8;
  return kOfProcess + kOfByte * bytes(*subject.kernel, kernel_.n) * subject.copies;
}

Result<double> Trials::time(const Candidate& candidate) {
  compile({candidate});
  RETURN_IF_ERROR(libraries_.at(candidate).status());
  constexpr double kOfCalls = 60;  // of templates that nothing is known of
  const Subject alone = subject(candidate);
  const double limit = options_.threads * (seconds_to_set_up(alone) + kOfCalls);
  return in_child(limit, [&] { return time_of_call(alone); });
}

// A candidate that is slower than all that are worth measuring runs into the limit.
Result<Comparison> Trials::compare(const Candidate& base, const Candidate& candidate, double seconds) const {
  for (const Candidate& one : {base, candidate}) RETURN_IF_ERROR(libraries_.at(one).status());
  constexpr double kSlowCalls = 30;
  const Subject slower = subject(candidate);
  const double of_calls = 2 * seconds + kSlowCalls * 1e-9 * kernel_.ns * slower.copies;
  const double limit = options_.threads * (seconds_to_set_up(slower) + of_calls);
  return in_child(limit, [&] { return convoke::compare(subject(base), subject(candidate), seconds); });
}

Result<std::vector<float>> Trials::oracle() {
  const Kernel& kernel = kernel_.planned.kernel;
  const int64_t n = std::min(kernel_.n, kVerifiedSamples);
  constexpr double kSeconds = 120;
  if (flops(kernel, n) <= kReferenceFlops) {
    return in_child(kSeconds, [&]() -> Result<std::vector<float>> { return reference_outputs(kernel, n); });
  }
  const TemplateChoice plain = template_choices(kernel, batch_class(kernel_.n), options_.target).back();
  const Candidate candidate{plain.name, plain.defaults};
  return outputs(candidate, kSeconds);
}

Result<std::vector<float>> Trials::outputs(const Candidate& candidate, double seconds) {
  compile({candidate});
  RETURN_IF_ERROR(libraries_.at(candidate).status());
  Subject fewer = subject(candidate);
  fewer.n = std::min(kernel_.n, kVerifiedSamples);
  return in_child(seconds, [&] { return outputs_of(fewer); });
}

Result<double> Trials::verify(const Candidate& candidate) {
  if (!oracle_) {
    ASSIGN_OR_RETURN(oracle_, oracle());
  }
  constexpr double kSeconds = 60;
  ASSIGN_OR_RETURN(const std::vector<float> found, outputs(candidate, kSeconds));
  return largest_difference(*oracle_, found);
}

}  // namespace convoke
