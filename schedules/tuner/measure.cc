#include "schedules/tuner/measure.h"

#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <memory>

#include "compiler/codegen/child.h"
#include "compiler/ops/interpreter.h"
#include "schedules/tuner/rates.h"

namespace convoke {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Turn {
  double base_ns, ns, gflops;
};

double quantile(const std::vector<Turn>& turns, double Turn::* field, double q) {
  std::vector<double> values;
  for (const Turn& turn : turns) values.push_back(turn.*field);
  std::ranges::sort(values);
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

constexpr size_t kFewestTurns = 3, kMostTurns = 400;

// Those between loops at nearly the best rate, if they are enough.
std::vector<Turn> quiet(const std::vector<Turn>& turns, double best_gflops) {
  constexpr double kQuiet = 0.92;
  std::vector<Turn> kept;
  std::ranges::copy_if(turns, std::back_inserter(kept),
                       [&](const Turn& turn) { return turn.gflops >= kQuiet * best_gflops; });
  return kept.size() >= kFewestTurns ? kept : turns;
}

// Slower by more than noise would explain: by half after one turn, by a fifth after two, by a tenth after the fewest
// that count.
bool is_lost(const std::vector<Turn>& turns) {
  const double ratio = quantile(turns, &Turn::ns, 0) / quantile(turns, &Turn::base_ns, 0);
  return ratio > (turns.size() == 1 ? 1.5 : turns.size() < kFewestTurns ? 1.2 : 1.1);
}

Result<Turn> take_turn(Session& base, Session& candidate, bool base_first) {
  Turn turn{0, 0, fma_gflops()};
  for (const bool is_base : {base_first, !base_first}) {
    ASSIGN_OR_RETURN(const double ns, (is_base ? base : candidate).call());
    (is_base ? turn.base_ns : turn.ns) = ns;
  }
  turn.gflops = std::min(turn.gflops, fma_gflops());
  return turn;
}

// What a child answers, as bytes.
template <typename T>
std::string to_bytes(const T* data, size_t count) {
  return {reinterpret_cast<const char*>(data), count * sizeof(T)};
}

template <typename T>
Result<T> value_in_child(double seconds, const std::function<Result<T>()>& work) {
  ASSIGN_OR_RETURN(const std::string bytes, run_in_child([&]() -> Result<std::string> {
                     limit_seconds(seconds);
                     ASSIGN_OR_RETURN(const T value, work());
                     return to_bytes(&value, 1);
                   }));
  T value;
  if (bytes.size() != sizeof value) return internal_error("a measuring child answered half a result");
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

Result<Comparison> compare(const Subject& base, const Subject& candidate, double seconds) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> base_session, Session::open(base));
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::open(candidate));
  ASSIGN_OR_RETURN(const std::vector<float> expected, base_session->outputs());
  ASSIGN_OR_RETURN(const std::vector<float> found, session->outputs());
  Comparison comparison{.difference = largest_difference(expected, found)};
  std::vector<Turn> turns;
  const auto start = Clock::now();
  while (turns.size() < kMostTurns && (turns.size() < kFewestTurns || seconds_since(start) < seconds)) {
    ASSIGN_OR_RETURN(const Turn turn, take_turn(*base_session, *session, turns.size() % 2 == 0));
    turns.push_back(turn);
    comparison.fma_gflops = std::max(comparison.fma_gflops, turn.gflops);
    if (is_lost(turns)) break;
  }
  const std::vector<Turn> counted = quiet(turns, comparison.fma_gflops);
  comparison.ns = quantile(counted, &Turn::ns, 0.25);
  comparison.base_ns = quantile(counted, &Turn::base_ns, 0.25);
  comparison.spread = quantile(counted, &Turn::ns, 0.5) / comparison.ns - 1;
  return comparison;
}

Result<double> time_of_call(const Subject& subject) {
  constexpr int kCalls = 3;  // the first finds nothing in the caches
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::open(subject));
  double least = std::numeric_limits<double>::infinity();
  for (int call = 0; call < kCalls; ++call) {
    ASSIGN_OR_RETURN(const double ns, session->call());
    least = std::min(least, ns);
  }
  return least;
}

Result<std::vector<float>> outputs_of(const Subject& subject) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::open(subject));
  return session->outputs();
}

std::vector<float> reference_outputs(const Kernel& kernel, int64_t n) {
  Environment operands;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    std::vector<int64_t> dims = type.dims;
    if (type.has_batch()) dims[0] = n;
    Tensor tensor(std::move(dims));
    std::ranges::copy(input_values(kernel, static_cast<int>(i), n), tensor.data.begin());
    operands[kernel.body.values[kernel.inputs[i]].name] = std::move(tensor);
  }
  const Environment values = interpret(kernel.body, operands);
  std::vector<float> outputs;
  for (ValueId output : kernel.body.outputs) {
    for (const double value : values.at(kernel.body.values[output].name).data) {
      outputs.push_back(static_cast<float>(value));
    }
  }
  return outputs;
}

double largest_difference(const std::vector<float>& expected, const std::vector<float>& found) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (expected.size() != found.size()) return kInfinite;
  double largest = 0, scale = std::numeric_limits<float>::min();
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(expected[i]) - static_cast<double>(found[i]));
    if (!std::isfinite(difference)) return kInfinite;
    largest = std::max(largest, difference);
    scale = std::max(scale, std::fabs(static_cast<double>(expected[i])));
  }
  return largest / scale;
}

void limit_seconds(double seconds) {
  constexpr double kCrowded = 10;  // as many processes as may share the cores
  const auto start = [](__itimer_which timer, int number, double limit) {
    signal(number, SIG_DFL);
    const auto whole = static_cast<time_t>(limit);
    const itimerval at = {{0, 0}, {whole, static_cast<suseconds_t>(1e6 * (limit - static_cast<double>(whole))) + 1}};
    setitimer(timer, &at, nullptr);
  };
  start(ITIMER_PROF, SIGPROF, seconds);
  start(ITIMER_REAL, SIGALRM, kCrowded * seconds);
}

Result<std::vector<float>> in_child(double seconds, const std::function<Result<std::vector<float>>()>& work) {
  ASSIGN_OR_RETURN(const std::string bytes, run_in_child([&]() -> Result<std::string> {
                     limit_seconds(seconds);
                     ASSIGN_OR_RETURN(const std::vector<float> values, work());
                     return to_bytes(values.data(), values.size());
                   }));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

Result<double> in_child(double seconds, const std::function<Result<double>()>& work) {
  return value_in_child(seconds, work);
}

Result<Comparison> in_child(double seconds, const std::function<Result<Comparison>()>& work) {
  return value_in_child(seconds, work);
}

}  // namespace convoke
