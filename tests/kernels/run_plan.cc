#include "tests/kernels/run_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/kernels/random_graph.h"
#include "tests/templates/storage.h"

namespace convoke {
namespace {

template <typename T>
void encode(const Tensor& from, uint8_t* to) {
  for (double value : from.data) {
    const auto element = static_cast<T>(value);
    std::memcpy(to, &element, sizeof element);
    to += sizeof element;
  }
}

template <typename T>
void decode(const uint8_t* from, Tensor& to) {
  for (double& value : to.data) {
    T element;
    std::memcpy(&element, from, sizeof element);
    value = static_cast<double>(element);
    from += sizeof element;
  }
}

}  // namespace

PlanRunner::PlanRunner(const Plan& plan, int64_t batch) : plan_(plan), batch_(batch) {
  for (int arena = 0; arena < core::kArenaCount; ++arena) {
    const bool zeroed = arena < core::kActivations && arena != core::kPrepared;
    arenas_.emplace_back(plan.arena_bytes[arena], zeroed ? 0 : 0xff);
  }
}

std::vector<int64_t> PlanRunner::storage_extents(const PlanBuffer& buffer) const {
  std::vector<int64_t> dims = storage_dims(buffer.type, buffer.layout);
  const int64_t images = std::max<int64_t>(buffer.layout.images, 1);
  for (int64_t& dim : dims) {
    if (dim == kBatch) dim = (count_ + images - 1) / images;
  }
  return dims;
}

// What lives beyond a band holds all turns' samples.
int64_t PlanRunner::place(const PlanBuffer& buffer) const {
  const bool whole = buffer.type.has_batch() && buffer.samples == plan_.capacity;
  return buffer.offset_bytes +
         (whole ? first_ * storage_elems(buffer.type, buffer.layout) * size_bytes(buffer.type.dtype) : 0);
}

void PlanRunner::set(int id, const Tensor& logical) {
  const PlanBuffer& buffer = plan_.buffers[id];
  INFO(buffer.name);
  const Tensor storage = to_storage(buffer.type, buffer.layout, logical);
  std::vector<uint8_t>& arena = arenas_[buffer.arena];
  REQUIRE(place(buffer) + storage.elems() * size_bytes(buffer.type.dtype) <= static_cast<int64_t>(arena.size()));
  uint8_t* bytes = arena.data() + place(buffer);
  switch (buffer.type.dtype) {
    case DType::kF32:
      return encode<float>(storage, bytes);
    case DType::kI32:
      return encode<int32_t>(storage, bytes);
    case DType::kU8:
      return encode<uint8_t>(storage, bytes);
  }
}

void PlanRunner::set_scalar(core::Scalar scalar, float value) {
  std::memcpy(arenas_[core::kScalars].data() + 4 * scalar, &value, sizeof value);
}

Tensor PlanRunner::get(int id) const {
  const PlanBuffer& buffer = plan_.buffers[id];
  INFO(buffer.name);
  Tensor storage(storage_extents(buffer));
  const std::vector<uint8_t>& arena = arenas_[buffer.arena];
  REQUIRE(place(buffer) + storage.elems() * size_bytes(buffer.type.dtype) <= static_cast<int64_t>(arena.size()));
  const uint8_t* bytes = arena.data() + place(buffer);
  switch (buffer.type.dtype) {
    case DType::kF32:
      decode<float>(bytes, storage);
      break;
    case DType::kI32:
      decode<int32_t>(bytes, storage);
      break;
    case DType::kU8:
      decode<uint8_t>(bytes, storage);
      break;
  }
  FromStorage result = from_storage(buffer.type, buffer.layout, storage, count_);
  CHECK(result.padding_is_zero);
  return std::move(result.logical);
}

void PlanRunner::run(convoke_program program) {
  for (int r = 0; r < static_cast<int>(plan_.rows.size());) {
    const PlanBand* band = band_of(plan_, r);
    const int end = band == nullptr ? r + 1 : band->end_row;
    const int64_t samples = samples_at_a_time(plan_, r);
    if (plan_.rows[r].program == program) {
      for (first_ = 0; first_ < batch_; first_ += samples) {
        count_ = std::min(samples, batch_ - first_);
        for (int row = r; row < end; ++row) run_row(plan_.rows[row]);
      }
      first_ = 0;
      count_ = batch_;
    }
    r = end;
  }
}

void PlanRunner::run_row(const PlanRow& row) {
  INFO(row.name);
  const Kernel& kernel = plan_.kernels[row.kernel].kernel;
  const size_t inputs = kernel.inputs.size();
  REQUIRE(row.buffers.size() == inputs + kernel.body.outputs.size());
  Environment operands;
  for (size_t i = 0; i < inputs; ++i) {
    CHECK(kernel.input_layouts[i] == plan_.buffers[row.buffers[i]].layout);
    operands[kernel.body.values[kernel.inputs[i]].name] = get(row.buffers[i]);
  }
  const Environment values = interpret(kernel.body, operands);
  for (size_t o = 0; o < kernel.body.outputs.size(); ++o) {
    CHECK(kernel.output_layouts[o] == plan_.buffers[row.buffers[inputs + o]].layout);
    set(row.buffers[inputs + o], values.at(kernel.body.values[kernel.body.outputs[o]].name));
  }
}

// Float32 in every buffer, double inside kernels: a few roundings of values around one.
void check_near(const Tensor& found, const Tensor& expected, double tolerance) {
  REQUIRE(found.dims == expected.dims);
  double most = 1, difference = 0;
  for (size_t i = 0; i < found.data.size(); ++i) {
    most = std::fmax(most, std::fabs(expected.data[i]));
    const double d = std::fabs(found.data[i] - expected.data[i]);
    difference = std::isnan(d) ? INFINITY : std::fmax(difference, d);
  }
  CHECK(difference <= tolerance * most);
}

void set_weights(const Plan& plan, const Environment& sources, PlanRunner& runner) {
  for (int buffer : plan.parameters) runner.set(buffer, sources.at(plan.buffers[buffer].name));
  for (int buffer : plan.states) runner.set(buffer, sources.at(plan.buffers[buffer].name));
}

void check_inference(const Plan& plan, const Graph& graph, int64_t batch) {
  const Environment sources = make_sources(graph, batch), expected = interpret(graph, sources);
  PlanRunner runner(plan, batch);
  set_weights(plan, sources, runner);
  runner.run(CONVOKE_PREPARE);
  for (int buffer : plan.infer_inputs) runner.set(buffer, sources.at(plan.buffers[buffer].name));
  runner.run(CONVOKE_INFER);
  REQUIRE(plan.infer_outputs.size() == graph.outputs.size());
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const std::string& name = graph.values[graph.outputs[o]].name;
    INFO(name);
    check_near(runner.get(plan.infer_outputs[o]), expected.at(name));
  }
}

}  // namespace convoke
