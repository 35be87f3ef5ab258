#include "compiler/kernels/image_layout.h"

#include <algorithm>
#include <map>
#include <set>

namespace convoke {
namespace {

// Full vectors save some four tenths of what estimated_work says; copies take a quarter of that.
constexpr int64_t kWorthWhile = 2;

bool is_image(const Type& type) { return type.has_batch() && type.rank() == 4; }

// Calls in blocks of images, and the activations between them.
class Regions {
 public:
  Regions(const Graph& graph, const std::vector<KernelCall>& calls, int64_t images, const Lookup& lookup)
      : graph_(graph), calls_(calls), images_(images) {
    for (size_t c = 0; c < calls.size(); ++c) region_of_.push_back(may_have_blocks(calls[c], lookup) ? c : kNone);
    for (size_t c = 0; c < calls.size(); ++c) {
      for (ValueId value : images_of(calls[c])) touched_by_[value].push_back(c);
    }
    for (const auto& [value, touching] : touched_by_) join(touching);
  }

  std::vector<size_t> worthwhile_calls() const {
    std::map<size_t, int64_t> balance_ns;  // by region: what full vectors are worth, less the copies
    for (size_t c = 0; c < calls_.size(); ++c) {
      const bool is_thin = region_of_[c] != kNone && channels_of(calls_[c]) < images_;
      if (is_thin) balance_ns[region_of_[c]] += estimated_work(calls_[c].kernel).ns_per_sample;
    }
    for (const auto& [value, touching] : touched_by_) {
      for (size_t region : copying_regions(value, touching)) balance_ns[region] -= kWorthWhile * copy_ns(value);
    }
    std::vector<size_t> chosen;
    for (size_t c = 0; c < calls_.size(); ++c) {
      if (region_of_[c] != kNone && balance_ns[region_of_[c]] > 0) chosen.push_back(c);
    }
    return chosen;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  std::vector<ValueId> images_of(const KernelCall& call) const {
    std::vector<ValueId> values;
    for (const auto* operands : {&call.outputs, &call.inputs}) {
      std::ranges::copy_if(*operands, std::back_inserter(values), [&](ValueId v) { return is_image(graph_.type(v)); });
    }
    return values;
  }

  // Vectors are of the channels that a call makes, or else reads first.
  int64_t channels_of(const KernelCall& call) const { return graph_.type(images_of(call).front()).dims.back(); }

  bool may_have_blocks(const KernelCall& call, const Lookup& lookup) const {
    const auto fits = [&](ValueId value) {
      const Type& type = graph_.type(value);
      return !type.has_batch() || (is_image(type) && type.dims.back() <= 2 * images_);
    };
    const auto leaves_graph = [&](ValueId value) { return std::ranges::count(graph_.outputs, value) > 0; };
    return !images_of(call).empty() && std::ranges::all_of(call.inputs, fits) &&
           std::ranges::all_of(call.outputs, fits) && std::ranges::none_of(call.outputs, leaves_graph) &&
           lookup(in_image_blocks(call.kernel, images_), images_).ok();
  }

  // One region of those that `touching` calls are in.
  void join(const std::vector<size_t>& touching) {
    size_t joined = kNone;
    for (size_t c : touching) {
      const size_t region = region_of_[c];
      if (region == kNone) continue;
      if (joined == kNone) joined = region;
      std::ranges::replace(region_of_, region, joined);
    }
  }

  // Those at whose border the value is copied: it is made or read by a call outside, or comes from outside.
  std::set<size_t> copying_regions(ValueId value, const std::vector<size_t>& touching) const {
    std::set<size_t> regions;
    bool crosses = graph_.is_source_value(value);
    for (size_t c : touching) {
      crosses |= region_of_[c] == kNone;
      if (region_of_[c] != kNone) regions.insert(region_of_[c]);
    }
    return crosses ? regions : std::set<size_t>{};
  }

  int64_t copy_ns(ValueId value) const {
    return estimated_work(pack_kernel(graph_.type(value), {}, {.images = images_})).ns_per_sample;
  }

  const Graph& graph_;
  const std::vector<KernelCall>& calls_;
  const int64_t images_;
  std::vector<size_t> region_of_;  // by call
  std::map<ValueId, std::vector<size_t>> touched_by_;
};

}  // namespace

void lay_out_images(const Graph& graph, std::vector<KernelCall>& calls, int64_t images, const Lookup& lookup) {
  for (size_t c : Regions(graph, calls, images, lookup).worthwhile_calls()) {
    calls[c].kernel = in_image_blocks(std::move(calls[c].kernel), images);
  }
}

}  // namespace convoke
