#include "compiler/kernels/bands.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>

namespace convoke {
namespace {

// A byte of a weight that is read again costs more than one that a loop streams once, even from the last cache: fewer
// samples make shorter loops.
constexpr int64_t kWeightAgain = 1, kWeightAgainFromMemory = 3;
// A call's start costs as much as so many bytes: some microseconds.
constexpr int64_t kBytesOfCall = 100'000;

struct Band {
  int first, end;  // calls
  int64_t samples;
};

// A value with a batch, by its place among the calls of the forward phase.
struct Handed {
  int made, last_read;  // made -1: before them; last_read: end for an output of the graph
  int64_t sample_bytes;
};

class BandChooser {
 public:
  BandChooser(const ScheduledGraph& scheduled, int64_t cache_bytes)
      : scheduled_(scheduled), capacity_(scheduled.capacity), cache_bytes_(cache_bytes) {
    const auto forward = [](const ScheduledCall& call) { return call.phase == Phase::kForward; };
    first_ = static_cast<int>(std::ranges::find_if(scheduled.calls, forward) - scheduled.calls.begin());
    end_ = static_cast<int>(scheduled.calls.size());
    touched_.resize(end_ - first_);
    for (int c = first_; c < end_; ++c) {
      const ScheduledCall& call = scheduled.calls[c];
      weight_bytes_.push_back(weight_bytes(call));
      for (ValueId value : call.inputs) touch(value, c);
      for (ValueId value : call.outputs) touch(value, c);
    }
    for (ValueId value : scheduled.graph->outputs) {
      if (auto found = index_.find(value); found != index_.end()) values_[found->second].last_read = end_;
    }
  }

  // The cheapest way to the end of all calls, extended call by call.
  std::vector<Band> run() {
    std::vector<int64_t> least(end_ - first_ + 1, std::numeric_limits<int64_t>::max());
    std::vector<Band> last(least.size());
    least[0] = 0;
    for (int i = first_; i < end_; ++i) {
      int64_t weights = 0;
      for (int j = i + 1; j <= end_; ++j) {
        if (j > i + 1 && (has_blocks(i) || has_blocks(j - 1))) break;
        weights += weight_bytes_[j - 1 - first_];
        const int64_t live = live_bytes(i, j);
        if (j > i + 1 && live > cache_bytes_) break;
        for (int64_t samples : sizes()) {
          const bool fits = live * samples <= cache_bytes_;
          if (!fits && (samples < capacity_ || j > i + 1)) continue;
          const int64_t price = least[i - first_] + cost(i, j, samples, fits, weights, live);
          if (price >= least[j - first_]) continue;
          least[j - first_] = price;
          last[j - first_] = {i, j, samples};
        }
      }
    }
    std::vector<Band> bands;
    for (int end = end_; end > first_; end = last[end - first_].first) {
      if (last[end - first_].samples < capacity_) bands.insert(bands.begin(), last[end - first_]);
    }
    return bands;
  }

 private:
  // Most first, so that of equals the one with fewest turns is kept.
  std::vector<int64_t> sizes() const {
    std::vector<int64_t> sizes = {capacity_};
    for (auto size = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(capacity_))); size > 0; size /= 2) {
      if (size < capacity_) sizes.push_back(size);
    }
    return sizes;
  }

  // Of images: a sample of theirs has no place of its own.
  bool has_blocks(int call) const { return image_block(scheduled_.calls[call].kernel) > 0; }

  int64_t weight_bytes(const ScheduledCall& call) const {
    int64_t bytes = 0;
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      const Type& type = scheduled_.graph->type(call.inputs[i]);
      if (!type.has_batch()) bytes += storage_elems(type, call.instance.layouts.inputs[i]) * size_bytes(type.dtype);
    }
    return bytes;
  }

  void touch(ValueId value, int call) {
    const Type& type = scheduled_.graph->type(value);
    if (!type.has_batch()) return;
    const bool outside = scheduled_.graph->is_source_value(value);
    const auto [found, is_new] = index_.emplace(value, values_.size());
    if (is_new) values_.push_back({outside ? -1 : call, call, type.elems() * size_bytes(type.dtype)});
    values_[found->second].last_read = call;
    touched_[call - first_].push_back(found->second);
  }

  bool is_inside(const Handed& value, int i, int j) const { return value.made >= i && value.last_read < j; }

  // The most that the calls [i, j) keep of one sample at a time: what one touches, and what waits for a later one.
  int64_t live_bytes(int i, int j) const {
    int64_t most = 0;
    for (int c = i; c < j; ++c) {
      int64_t live = 0;
      for (size_t v : touched_[c - first_]) live += values_[v].sample_bytes;
      for (const Handed& value : values_) {
        if (value.made >= i && value.made < c && value.last_read > c && value.last_read < j) live += value.sample_bytes;
      }
      most = std::max(most, live);
    }
    return most;
  }

  int64_t cost(int i, int j, int64_t samples, bool fits, int64_t weights, int64_t live) const {
    int64_t moved = 0;
    std::vector<bool> seen(values_.size());
    for (int c = i; c < j; ++c) {
      for (size_t v : touched_[c - first_]) {
        if (seen[v] || (fits && is_inside(values_[v], i, j))) continue;
        seen[v] = true;
        moved += values_[v].sample_bytes;
      }
    }
    const int64_t turns = (capacity_ + samples - 1) / samples;
    const int64_t again = weights + samples * live > cache_bytes_ ? kWeightAgainFromMemory : kWeightAgain;
    return moved * capacity_ + weights * (1 + again * (turns - 1)) + turns * (j - i) * kBytesOfCall;
  }

  const ScheduledGraph& scheduled_;
  const int64_t capacity_, cache_bytes_;
  int first_ = 0, end_ = 0;                   // the forward calls
  std::vector<int64_t> weight_bytes_;         // by call, from first_ on
  std::vector<std::vector<size_t>> touched_;  // by call, from first_ on: indices into values_
  std::vector<Handed> values_;
  std::map<ValueId, size_t> index_;
};

}  // namespace

Status choose_bands(ScheduledGraph& scheduled, int64_t cache_bytes, const Lookup& lookup) {
  for (const Band& band : BandChooser(scheduled, cache_bytes).run()) {
    for (int c = band.first; c < band.end; ++c) {
      ScheduledCall& call = scheduled.calls[c];
      call.band = static_cast<int>(scheduled.bands.size());
      ASSIGN_OR_RETURN(call.instance, look_up(lookup, call.name, call.kernel, band.samples));
    }
    scheduled.bands.push_back(band.samples);
  }
  return ok_status();
}

}  // namespace convoke
