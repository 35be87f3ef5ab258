#include "compiler/kernels/activations.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/kernels/memory.h"

namespace convoke {
namespace {

int64_t buffer_bytes(const Plan& plan, int buffer) {
  const PlanBuffer& b = plan.buffers[buffer];
  return storage_elems(b.type, b.layout) * size_bytes(b.type.dtype) * (b.type.has_batch() ? b.samples : 1);
}

class Sequence {
 public:
  Sequence(Plan& plan, int first_row, int end_row, const std::vector<Kept>& kept) : plan_(plan) {
    narrow(first_row, end_row, kept);
    for (const Kept& k : kept) touch(k.buffer, k.first, k.last);
    for (int row = first_row; row < end_row; ++row) {
      for (int buffer : plan.rows[row].buffers) touch(buffer, row, row);
    }
    for (int row = first_row; row < end_row; ++row) merge_in_place(row);
    for (auto& [buffer, lifetime] : lifetimes_) widen(buffer, lifetime);
  }

  void place() {
    std::vector<Lifetime> lifetimes;
    std::map<int, int> index;  // of a root's lifetime
    for (const auto& [buffer, lifetime] : lifetimes_) {
      if (root(buffer) != buffer) continue;
      index[buffer] = static_cast<int>(lifetimes.size());
      lifetimes.push_back(lifetime);
    }
    const MemoryPlan memory = plan_memory(lifetimes);
    for (const auto& entry : lifetimes_) {
      plan_.buffers[entry.first].offset_bytes = memory.offsets[index.at(root(entry.first))];
    }
    int64_t& arena = plan_.arena_bytes[core::kActivations];
    arena = std::max(arena, memory.total_bytes);
    plan_.activation_lower_bound_bytes = std::max(plan_.activation_lower_bound_bytes, memory.lower_bound_bytes);
  }

 private:
  void narrow(int first_row, int end_row, const std::vector<Kept>& kept) {
    std::map<int, std::set<const PlanBand*>> bands;  // by buffer; null: touched outside of bands
    for (int row = first_row; row < end_row; ++row) {
      for (int buffer : plan_.rows[row].buffers) bands[buffer].insert(band_of(plan_, row));
    }
    for (const Kept& k : kept) bands[k.buffer].insert(nullptr);
    for (const auto& [buffer, touched] : bands) {
      if (touched.size() == 1 && *touched.begin() != nullptr)
        plan_.buffers[buffer].samples = (*touched.begin())->samples;
    }
  }

  // All turns of a band touch a buffer that lives beyond it.
  void widen(int buffer, Lifetime& lifetime) const {
    for (const PlanBand& band : plan_.bands) {
      if (plan_.buffers[buffer].samples == band.samples) continue;
      if (band.first_row <= lifetime.first && lifetime.first < band.end_row) lifetime.first = band.first_row;
      if (band.first_row <= lifetime.last && lifetime.last < band.end_row) lifetime.last = band.end_row - 1;
    }
  }

  void touch(int buffer, int first, int last) {
    if (plan_.buffers[buffer].arena != core::kActivations) return;
    auto [found, is_new] = lifetimes_.emplace(buffer, Lifetime{first, last, buffer_bytes(plan_, buffer)});
    if (is_new) return;
    found->second.first = std::min(found->second.first, first);
    found->second.last = std::max(found->second.last, last);
  }

  int root(int buffer) const {
    auto found = merged_.find(buffer);
    return found == merged_.end() ? buffer : root(found->second);
  }

  void merge_in_place(int row_index) {
    const PlanRow& row = plan_.rows[row_index];
    const Kernel& kernel = plan_.kernels[row.kernel].kernel;
    const size_t inputs = kernel.inputs.size();
    std::vector<bool> taken(inputs);
    for (size_t o = inputs; o < row.buffers.size(); ++o) {
      for (size_t i = 0; i < inputs; ++i) {
        if (taken[i] || !may_alias(kernel, static_cast<int>(i), static_cast<int>(o - inputs))) continue;
        if (!merge(row.buffers[i], row.buffers[o], row_index)) continue;
        taken[i] = true;
        break;
      }
    }
  }

  // `output` takes over the memory of `input` when that ends at this row and the output starts there.
  bool merge(int input, int output, int row) {
    auto in = lifetimes_.find(root(input)), out = lifetimes_.find(output);
    if (in == lifetimes_.end() || out == lifetimes_.end() || in == out || merged_.contains(output)) return false;
    if (in->second.last != row || out->second.first != row || in->second.bytes != out->second.bytes) return false;
    in->second.last = out->second.last;
    merged_[output] = in->first;
    return true;
  }

  Plan& plan_;
  std::map<int, Lifetime> lifetimes_;  // by buffer; a root's covers all that merged into it
  std::map<int, int> merged_;          // buffer → the one whose memory it takes over
};

}  // namespace

void place_activations(Plan& plan, int first_row, int end_row, const std::vector<Kept>& kept) {
  Sequence(plan, first_row, end_row, kept).place();
}

}  // namespace convoke
