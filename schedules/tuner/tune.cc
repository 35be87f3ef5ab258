#include "schedules/tuner/tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include "schedules/database/lookup.h"
#include "schedules/tuner/trials.h"

namespace convoke {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kWaveSeconds = 0.08;  // of measuring a candidate
constexpr double kFinalSeconds = 1;    // of measuring a winner beside the defaults
constexpr double kWorthWhile = 0.97;   // of the defaults' time: what wins less comes and goes with the neighbours
constexpr double kFewestSeconds = 5;   // for a kernel

Kernel without_layouts(const Kernel& kernel) { return parse_kernel(tuning_key(kernel)).value(); }

Candidate candidate_of(const Instance& instance) { return {instance.template_name, instance.knobs}; }

Candidate default_candidate(const TuneKernel& kernel, const TargetSpec& target) {
  const LookupOptions options{.training = kernel.storage.packed_in_step};
  return candidate_of(lookup(without_layouts(kernel.planned.kernel), batch_class(kernel.n), target, options).value());
}

// Only changes the layout of a weight.
bool is_copy(const Plan& plan, const PlanRow& row) {
  if (row.buffers.size() != 2) return false;
  const PlanBuffer &from = plan.buffers[row.buffers[0]], &to = plan.buffers[row.buffers[1]];
  return !from.type.has_batch() && from.type == to.type && from.layout != to.layout;
}

// The buffer's layout; of a packed copy: its source's.
const Layout& stored_layout(const Plan& plan, int buffer) {
  for (const PlanRow& row : plan.rows) {
    if (is_copy(plan, row) && row.buffers[1] == buffer) return plan.buffers[row.buffers[0]].layout;
  }
  return plan.buffers[buffer].layout;
}

// A step packs a backward kernel's weights from what the forward kernel wishes for, and transforms those of the forward
// kernel; inference packs once.
WeightStorage storage_of(const Plan& plan, const PlanRow& row) {
  if (row.program == CONVOKE_FORWARD) return {.layouts = {}, .packed_in_step = true};
  WeightStorage storage{.packed_in_step = row.program == CONVOKE_BACKWARD};
  const size_t inputs = plan.kernels[row.kernel].kernel.inputs.size();
  for (size_t i = 0; i < inputs; ++i) storage.layouts.push_back(stored_layout(plan, row.buffers[i]));
  return storage;
}

// One kernel, from its defaults to a schedule that is proven.
class KernelTuner {
 public:
  KernelTuner(const TuneKernel& kernel, const TuneOptions& options, const std::string& folder)
      : kernel_(kernel),
        options_(options),
        choices_(template_choices(without_layouts(kernel.planned.kernel), batch_class(kernel.n), options.target,
                                  kernel.storage.packed_in_step)),
        default_(default_candidate(kernel, options.target)),
        trials_(kernel, options, folder) {}

  // The defaults' time.
  Result<double> measure_default() { return trials_.time(default_); }

  SearchResult search(double default_ns, const std::function<bool(double gain)>& goes_on) {
    SearchRequest request{.choices = choices_, .best = default_, .best_ns = default_ns};
    const Candidate planned = candidate_of(kernel_.planned.instance);
    const auto choice = std::ranges::find(choices_, planned.template_name, &TemplateChoice::name);
    if (is_valid(without_layouts(kernel_.planned.kernel), batch_class(kernel_.n), options_.target,
                 planned.template_name, planned.knobs) &&
        choice->fits(planned.knobs)) {
      request.starts = {planned};
    }
    double best_ns = default_ns;
    request.measure = [&](const std::vector<Candidate>& wave, const Candidate& best) {
      std::vector<std::optional<double>> times = measure(wave, best, best_ns);
      for (const std::optional<double>& ns : times) best_ns = std::min(best_ns, ns.value_or(best_ns));
      return times;
    };
    request.is_over = [&] { return !goes_on(default_ns / best_ns); };
    return hill_climb(request);
  }

  // The first of `best`, fastest first, that is right and keeps its advantage over the defaults when measured longer;
  // at last the defaults themselves.
  Result<TunedSchedule> prove(const std::vector<Candidate>& best) {
    for (const Candidate& candidate : best) {
      if (candidate == default_) break;
      const Result<TunedSchedule> proven = prove(candidate);
      if (proven.ok() && static_cast<double>(proven->ns) < kWorthWhile * static_cast<double>(proven->default_ns)) {
        return proven;
      }
    }
    return prove(default_);
  }

  Result<double> verify(const Candidate& candidate) { return trials_.verify(candidate); }

 private:
  std::vector<std::optional<double>> measure(const std::vector<Candidate>& wave, const Candidate& best,
                                             double best_ns) {
    trials_.compile(wave);
    std::vector<std::optional<double>> times;
    for (const Candidate& candidate : wave) {
      times.emplace_back();
      const Result<Comparison> measured = trials_.compare(best, candidate, kWaveSeconds);
      if (!measured.ok() || measured->difference > kMostError) continue;
      times.back() = best_ns * measured->ns / measured->base_ns;
    }
    return times;
  }

  Result<TunedSchedule> prove(const Candidate& candidate) {
    ASSIGN_OR_RETURN(const double error, trials_.verify(candidate));
    if (!(error <= kMostError))
      return internal_error("its result is off by " + two_digits(error) + " of the largest element");
    ASSIGN_OR_RETURN(const Comparison measured, trials_.compare(default_, candidate, kFinalSeconds));
    const bool is_default = candidate == default_;
    const double default_ns = is_default ? std::min(measured.ns, measured.base_ns) : measured.base_ns;
    return TunedSchedule{
        .kernel = tuning_key(kernel_.planned.kernel),
        .batch = batch_class(kernel_.n),
        .cpu = options_.cpu,
        .template_name = candidate.template_name,
        .knobs = candidate.knobs,
        .n = kernel_.n,
        .threads = options_.threads,
        .ns = std::max<int64_t>(1, std::llround(is_default ? default_ns : measured.ns)),
        .spread = std::round(1000 * measured.spread) / 1000,
        .default_ns = std::llround(default_ns),
        .fma_gflops = std::round(10 * measured.fma_gflops) / 10,
        .max_error = std::stod(two_digits(error)),
        .date = options_.date,
        .inference_only = !may_train(without_layouts(kernel_.planned.kernel), candidate.template_name)};
  }

  static std::string two_digits(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1e", value);
    return text;
  }

  const TuneKernel& kernel_;
  const TuneOptions& options_;
  std::vector<TemplateChoice> choices_;
  Candidate default_;
  Trials trials_;
};

class Tuner {
 public:
  Tuner(std::vector<TuneKernel> kernels, const TuneOptions& options, const TuneObserver& observer, Database& database)
      : kernels_(std::move(kernels)), options_(options), observer_(observer), database_(database) {}

  Result<TuneReport> run(const std::regex& pattern) {
    measure_as_planned();
    if (observer_.interrupted()) return report_;
    std::vector<TuneKernel*> chosen;
    for (TuneKernel& kernel : kernels_) {
      if (is_tuned(kernel) && !options_.again) {
        ++report_.already;
      } else if (kernel.share >= options_.least_share && std::regex_search(kernel.name, pattern)) {
        chosen.push_back(&kernel);
      }
    }
    std::ranges::stable_sort(chosen, std::greater{}, &TuneKernel::share);
    double share = 0;
    for (const TuneKernel* kernel : chosen) share += kernel->share;
    report_.complete = true;
    for (size_t k = 0; k < chosen.size() && report_.complete; ++k) {
      const double seconds = std::max(kFewestSeconds, seconds_left() * chosen[k]->share / share);
      share -= chosen[k]->share;
      if (stops()) {
        report_.complete = false;
      } else {
        RETURN_IF_ERROR(tune_one(*chosen[k], seconds, static_cast<int>(k), static_cast<int>(chosen.size())));
      }
    }
    report_.complete &= !observer_.interrupted();
    return report_;
  }

 private:
  double seconds_left() const {
    return options_.budget_seconds - std::chrono::duration<double>(Clock::now() - start_).count();
  }
  bool stops() const { return seconds_left() <= 0 || observer_.interrupted(); }

  bool is_tuned(const TuneKernel& kernel) const {
    TunedSchedule identity;
    identity.kernel = tuning_key(kernel.planned.kernel);
    identity.batch = batch_class(kernel.n);
    identity.cpu = options_.cpu;
    if (find(database_, identity) != nullptr) return true;
    identity.inference_only = true;
    return !kernel.storage.packed_in_step && find(database_, identity) != nullptr;
  }

  std::string folder(const TuneKernel& kernel) const {
    return options_.scratch_directory + "/" + std::to_string(&kernel - kernels_.data());
  }

  void show(const std::string& name, int kernel, int kernels, double kernel_gain) const {
    observer_.progress({kernel, kernels, name, seconds_left(), report_.before_ns / report_.after_ns, kernel_gain});
  }

  // Every kernel's time with the schedule that lookup gives it: what decides where the time goes.
  void measure_as_planned() {
    for (TuneKernel& kernel : kernels_) {
      if (observer_.interrupted()) return;
      const auto k = static_cast<int>(&kernel - kernels_.data());
      observer_.progress({k, static_cast<int>(kernels_.size()), "measuring " + kernel.name, seconds_left(), 1, 1});
      const Result<double> ns = measure_planned(kernel);
      if (ns.ok()) kernel.ns = *ns;
      if (!ns.ok()) fail(kernel, ns.status());
      report_.before_ns += kernel.ns * kernel.uses;
    }
    for (TuneKernel& kernel : kernels_) kernel.share = kernel.ns * kernel.uses / report_.before_ns;
    report_.after_ns = report_.before_ns;
  }

  Result<double> measure_planned(const TuneKernel& kernel) const {
    Trials trials(kernel, options_, folder(kernel));
    return trials.time(candidate_of(kernel.planned.instance));
  }

  void fail(const TuneKernel& kernel, const Status& why) {
    if (observer_.interrupted()) return;  // the children were, too
    ++report_.failed;
    observer_.failed(kernel, why);
  }

  // What inference does better with than with schedules for it alone takes their place.
  void record(const TuneKernel& kernel, const TunedSchedule& proven) {
    put(database_, proven);
    if (proven.inference_only || kernel.storage.packed_in_step) return;
    TunedSchedule for_inference = proven;
    for_inference.inference_only = true;
    erase(database_, for_inference);
  }

  Status tune_one(const TuneKernel& kernel, double seconds, int index, int count) {
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    show(kernel.name, index, count, 1);
    KernelTuner tuner(kernel, options_, folder(kernel) + "/tuned");
    const Result<double> default_ns = tuner.measure_default();
    if (!default_ns.ok()) {
      fail(kernel, default_ns.status());
      return ok_status();
    }
    const SearchResult found = tuner.search(*default_ns, [&](double gain) {
      show(kernel.name, index, count, gain);
      return Clock::now() < deadline && !observer_.interrupted();
    });
    if (observer_.interrupted()) return ok_status();  // what was not searched to the end is tuned again
    const Result<TunedSchedule> proven = tuner.prove(found.best);
    if (!proven.ok()) {
      fail(kernel, proven.status());
      return ok_status();
    }
    record(kernel, *proven);
    ++report_.tuned;
    report_.after_ns += kernel.uses * (std::min(static_cast<double>(proven->ns), kernel.ns) - kernel.ns);
    return observer_.tuned(kernel, *proven);
  }

  std::vector<TuneKernel> kernels_;
  const TuneOptions& options_;
  const TuneObserver& observer_;
  Database& database_;
  Clock::time_point start_ = Clock::now();
  TuneReport report_;
};

}  // namespace

void add_kernels(const Plan& plan, convoke_program first, convoke_program last, std::vector<TuneKernel>& kernels) {
  std::map<std::pair<std::string, BatchClass>, size_t> known;
  const auto identity = [](const TuneKernel& kernel) {
    return std::make_pair(tuning_key(kernel.planned.kernel), batch_class(kernel.n));
  };
  for (size_t k = 0; k < kernels.size(); ++k) known[identity(kernels[k])] = k;
  for (int r = 0; r < static_cast<int>(plan.rows.size()); ++r) {
    const PlanRow& row = plan.rows[r];
    if (row.program < first || row.program > last || is_copy(plan, row)) continue;
    if (image_block(plan.kernels[row.kernel].kernel) > 0) continue;
    const TuneKernel kernel{.name = row.name,
                            .planned = plan.kernels[row.kernel],
                            .storage = storage_of(plan, row),
                            .n = samples_at_a_time(plan, r),
                            .uses = turns(plan, r)};
    const auto [found, is_new] = known.try_emplace(identity(kernel), kernels.size());
    if (is_new) {
      kernels.push_back(kernel);
    } else {
      kernels[found->second].uses += kernel.uses;
    }
  }
}

Result<TuneReport> tune(std::vector<TuneKernel> kernels, const std::regex& pattern, const TuneOptions& options,
                        const TuneObserver& observer, Database& database) {
  return Tuner(std::move(kernels), options, observer, database).run(pattern);
}

Result<double> verify(const PlanKernel& planned, int64_t n, const TuneOptions& options) {
  const TuneKernel kernel{.planned = planned, .storage = {planned.kernel.input_layouts}, .n = n};
  Trials trials(kernel, options, options.scratch_directory + "/verify");
  const Candidate candidate = candidate_of(planned.instance);
  trials.compile({candidate});
  return trials.verify(candidate);
}

}  // namespace convoke
