// The search on times that are formulas of the knobs.
#include "schedules/tuner/search.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace convoke {
namespace {

const std::vector<int64_t> kEight = {1, 2, 3, 4, 5, 6, 7, 8};

bool all_fit(const Knobs&) { return true; }

std::vector<TemplateChoice> two_templates() {
  return {{"first", {{"x", kEight}, {"y", kEight}}, {{"x", 1}, {"y", 1}}, all_fit},
          {"second", {{"z", kEight}}, {{"z", 4}}, all_fit}};
}

SearchRequest request(const std::function<std::optional<double>(const Candidate&)>& time) {
  SearchRequest request{.choices = two_templates(), .best = {"first", {{"x", 1}, {"y", 1}}}};
  request.best_ns = *time(request.best);
  request.measure = [time](const std::vector<Candidate>& wave, const Candidate&) {
    std::vector<std::optional<double>> times;
    for (const Candidate& candidate : wave) times.push_back(time(candidate));
    return times;
  };
  request.is_over = [] { return false; };
  return request;
}

double distance(const Candidate& candidate, const char* knob, double from) {
  return std::fabs(static_cast<double>(candidate.knobs.find(knob)->second) - from);
}

// first: best at x=6, y=3 with 100; second: best at z=2 with 90.
std::optional<double> valley(const Candidate& candidate) {
  if (candidate.template_name == "second") return 90 + 10 * distance(candidate, "z", 2);
  return 100 + 5 * distance(candidate, "x", 6) + 5 * distance(candidate, "y", 3);
}

TEST_CASE("the best point of the best template, of those that are seen along the way") {
  const SearchResult result = hill_climb(request(valley));
  CHECK(to_string(result.best.front()) == "second z=2");
  CHECK(result.best_ns == 90);
  CHECK(to_string(result.best.back()) == "first x=1 y=1");
}

TEST_CASE("a template whose best point is far behind is left alone") {
  const auto times = [](const Candidate& candidate) -> std::optional<double> {
    return candidate.template_name == "second" ? 1000 : valley(candidate);
  };
  const SearchResult result = hill_climb(request(times));
  CHECK(to_string(result.best.front()) == "first x=6 y=3");
  CHECK(result.tried < 40);
}

TEST_CASE("a candidate without a time is out, and is not asked for again") {
  std::vector<Candidate> asked;
  const auto times = [&](const Candidate& candidate) -> std::optional<double> {
    CHECK(std::ranges::count(asked, candidate) == 0);
    if (candidate != Candidate{"first", {{"x", 1}, {"y", 1}}}) asked.push_back(candidate);
    if (candidate.template_name == "second" || candidate.knobs.find("x")->second == 6) return std::nullopt;
    return valley(candidate);
  };
  const SearchResult result = hill_climb(request(times));
  CHECK((result.best.front().knobs.at("x") == 5 || result.best.front().knobs.at("x") == 7));
  CHECK(result.best.front().knobs.at("y") == 3);
}

TEST_CASE("what does not fit is not asked for") {
  SearchRequest small = request(valley);
  small.choices.resize(1);
  small.choices[0].fits = [](const Knobs& knobs) { return knobs.at("x") * knobs.at("y") <= 12; };
  const SearchResult result = hill_climb(small);
  CHECK(to_string(result.best.front()) == "first x=6 y=2");
}

TEST_CASE("it ends when it is told to") {
  SearchRequest once = request(valley);
  int waves = 0;
  once.is_over = [&] { return waves++ == 1; };
  CHECK(hill_climb(once).tried == 1);  // the other template's defaults
}

TEST_CASE("a default that is no value of its range has neighbours on both sides") {
  SearchRequest between = request(valley);
  between.choices = {{"second", {{"z", {1, 2, 8}}}, {{"z", 5}}, all_fit}};
  CHECK(to_string(hill_climb(between).best.front()) == "second z=2");
}

}  // namespace
}  // namespace convoke
