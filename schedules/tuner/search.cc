#include "schedules/tuner/search.h"

#include <algorithm>
#include <map>
#include <set>

namespace convoke {
namespace {

constexpr double kNear = 1.3;  // a template is given up when its best point is so much slower than the best of all
constexpr double kProgress = 0.995;  // of the time: less is noise
constexpr int kSteps = 2;

class Climb {
 public:
  explicit Climb(const SearchRequest& request) : request_(request) {
    result_.best = {request.best};
    result_.best_ns = request.best_ns;
    seen_.insert(request.best);
    points_[request.best.template_name] = {request.best, request.best_ns};
  }

  SearchResult run() {
    std::vector<Candidate> wave = first_wave();
    if (wave.empty()) wave = next_wave();
    while (!wave.empty() && !request_.is_over()) {
      const std::vector<std::optional<double>> times = request_.measure(wave, result_.best.front());
      for (size_t i = 0; i < wave.size(); ++i) note(wave[i], times[i]);
      wave = next_wave();
    }
    return std::move(result_);
  }

 private:
  struct Point {
    Candidate candidate;
    double ns;
  };

  void add(const Candidate& candidate, std::vector<Candidate>& wave) {
    if (seen_.insert(candidate).second) wave.push_back(candidate);
  }

  std::vector<Candidate> first_wave() {
    std::vector<Candidate> wave;
    for (const TemplateChoice& choice : request_.choices) add({choice.name, choice.defaults}, wave);
    for (const Candidate& start : request_.starts) add(start, wave);
    return wave;
  }

  std::vector<Candidate> next_wave() {
    std::vector<Candidate> wave;
    for (const TemplateChoice& choice : request_.choices) {
      const auto point = points_.find(choice.name);
      if (point == points_.end() || point->second.ns > kNear * result_.best_ns) continue;
      for (const auto& [knob, range] : choice.ranges) add_neighbours(point->second.candidate, knob, choice, wave);
    }
    return wave;
  }

  void add_neighbours(const Candidate& from, const std::string& knob, const TemplateChoice& choice,
                      std::vector<Candidate>& wave) {
    const std::vector<int64_t>& range = choice.ranges.find(knob)->second;
    const int64_t value = from.knobs.find(knob)->second;
    const auto above = std::ranges::upper_bound(range, value), below = std::ranges::lower_bound(range, value);
    const auto move_to = [&](int64_t to) {
      Candidate moved = from;
      moved.knobs[knob] = to;
      if (choice.fits(moved.knobs)) add(moved, wave);
    };
    for (auto at = above; at != range.end() && at - above < kSteps; ++at) move_to(*at);
    for (auto at = below; at != range.begin() && below - at < kSteps;) move_to(*--at);
  }

  void note(const Candidate& candidate, std::optional<double> ns) {
    ++result_.tried;
    if (!ns) return;
    const auto [point, is_new] = points_.try_emplace(candidate.template_name, Point{candidate, *ns});
    if (!is_new && *ns < kProgress * point->second.ns) point->second = {candidate, *ns};
    if (*ns >= kProgress * result_.best_ns) return;
    result_.best.insert(result_.best.begin(), candidate);
    result_.best_ns = *ns;
  }

  const SearchRequest& request_;
  SearchResult result_;
  std::set<Candidate> seen_;
  std::map<std::string, Point> points_;  // the best of each template
};

}  // namespace

std::string to_string(const Candidate& candidate) {
  const std::string knobs = to_string(candidate.knobs);
  return candidate.template_name + (knobs.empty() ? "" : " ") + knobs;
}

SearchResult hill_climb(const SearchRequest& request) { return Climb(request).run(); }

}  // namespace convoke
