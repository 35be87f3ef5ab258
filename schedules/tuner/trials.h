// Candidates of one kernel on their way from knobs to times: compiled several at once, measured one by one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schedules/tuner/measure.h"
#include "schedules/tuner/search.h"
#include "schedules/tuner/tune.h"

namespace convoke {

class Trials {
 public:
  // Files go to `folder`, which is made. All of them must outlive this.
  Trials(const TuneKernel& kernel, const TuneOptions& options, std::string folder);

  // Compiles what was not compiled before. A candidate that fails has no library.
  void compile(const std::vector<Candidate>& candidates);

  // Of a call, in a child.
  Result<double> time(const Candidate& candidate);

  // In a child, beside `base`. An error, which may be that of its compilation: out.
  Result<Comparison> compare(const Candidate& base, const Candidate& candidate, double seconds) const;

  // Error against the oracle: the reference, or where that would take minutes, what the last template that applies (the
  // most plain one) computes.
  Result<double> verify(const Candidate& candidate);

 private:
  Subject subject(const Candidate& candidate) const;
  double seconds_to_set_up(const Subject& subject) const;
  Result<std::string> compile_one(const Candidate& candidate, const std::string& folder) const;
  Result<std::vector<float>> outputs(const Candidate& candidate, double seconds);  // of the samples that are verified
  Result<std::vector<float>> oracle();

  const TuneKernel& kernel_;
  const TuneOptions& options_;
  std::string folder_;
  std::map<Candidate, Result<std::string>> libraries_;
  std::map<Candidate, Kernel> kernels_;  // with the layouts that the candidate wishes for
  std::optional<std::vector<float>> oracle_;
};

}  // namespace convoke
