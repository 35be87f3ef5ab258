// The search over a kernel's templates and knobs: hill climbing by coordinates from each template's defaults. It knows
// nothing of kernels and clocks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "schedules/database/lookup.h"

namespace convoke {

struct Candidate {
  std::string template_name;
  Knobs knobs;
  auto operator<=>(const Candidate&) const = default;
};
std::string to_string(const Candidate& candidate);  // "conv2d_direct pixels=14 rows=4"

// The times of a wave's candidates, beside the best candidate so far; none: it does not compile, crashed, hung,
// computed something else, or is so slow that nobody waited for it.
using MeasureWave =
    std::function<std::vector<std::optional<double>>(const std::vector<Candidate>& wave, const Candidate& best)>;

struct SearchRequest {
  std::vector<TemplateChoice> choices;  // all of them compete
  std::vector<Candidate> starts;        // beside the defaults
  Candidate best;                       // what is known to work
  double best_ns = 0;
  MeasureWave measure;
  std::function<bool()> is_over;  // asked before each wave
};

struct SearchResult {
  std::vector<Candidate> best;  // fastest first: each was the best at its time; the last is the request's
  double best_ns = 0;
  int tried = 0;
};

// A wave has unseen neighbours, one or two steps along one knob within the registers, of the best point of each
// template that comes near the best of all: the nearest of the fastest first. The search ends when there are none, or
// when it is over.
SearchResult hill_climb(const SearchRequest& request);

}  // namespace convoke
