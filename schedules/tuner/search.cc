#include "schedules/tuner/search.h"

#include <algorithm>
#include <map>
#include <set>

namespace convoke {
namespace {

constexpr double kNear = 1.3;  // a template is given up when its best point is so much slower than the best of all
constexpr double kProgress = 0.995;  // of the time: less is noise
constexpr int kSteps = 2;
constexpr size_t kWave = 8;  // so that what is found is followed soon

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
    if (wave.size() < kWave && seen_.insert(candidate).second) wave.push_back(candidate);
  }

  std::vector<Candidate> first_wave() {
    std::vector<Candidate> wave;
    for (const TemplateChoice& choice : request_.choices) {
      add({choice.name, choice.defaults}, wave);
      for (const Knobs& start : choice.starts) {
        if (choice.fits(start)) add({choice.name, start}, wave);
      }
    }
    for (const Candidate& start : request_.starts) add(start, wave);
    return wave;
  }

  std::vector<Candidate> next_wave() {
    std::vector<const TemplateChoice*> near;
    const auto time = [this](const TemplateChoice* choice) { return points_.at(choice->name).ns; };
    for (const TemplateChoice& choice : request_.choices) {
      if (points_.contains(choice.name) && time(&choice) <= kNear * result_.best_ns) near.push_back(&choice);
    }
    std::ranges::stable_sort(near, {}, time);
    std::vector<Candidate> wave;
    for (int step = 1; step <= kSteps; ++step) {
      for (const TemplateChoice* choice : near) add_neighbours(*choice, step, wave);
    }
    return wave;
  }

  // `step` values up or down along each knob.
  void add_neighbours(const TemplateChoice& choice, int step, std::vector<Candidate>& wave) {
    const Candidate& from = points_.at(choice.name).candidate;
    for (const auto& [knob, range] : choice.ranges) {
      const int64_t value = from.knobs.find(knob)->second;
      const auto move_to = [&](int64_t to) {
        Candidate moved = from;
        moved.knobs[knob] = to;
        if (choice.fits(moved.knobs)) add(moved, wave);
      };
      const auto above = std::ranges::upper_bound(range, value), below = std::ranges::lower_bound(range, value);
      if (range.end() - above >= step) move_to(above[step - 1]);
      if (below - range.begin() >= step) move_to(below[-step]);
    }
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
