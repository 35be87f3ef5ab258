#include "tests/kernels/run_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "compiler/ops/interpreter.h"
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
    if (dim == kBatch) dim = (batch_ + images - 1) / images;
  }
  return dims;
}

void PlanRunner::set(int id, const Tensor& logical) {
  const PlanBuffer& buffer = plan_.buffers[id];
  INFO(buffer.name);
  const Tensor storage = to_storage(buffer.type, buffer.layout, logical);
  std::vector<uint8_t>& arena = arenas_[buffer.arena];
  REQUIRE(buffer.offset_bytes + storage.elems() * size_bytes(buffer.type.dtype) <= static_cast<int64_t>(arena.size()));
  uint8_t* bytes = arena.data() + buffer.offset_bytes;
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
  REQUIRE(buffer.offset_bytes + storage.elems() * size_bytes(buffer.type.dtype) <= static_cast<int64_t>(arena.size()));
  const uint8_t* bytes = arena.data() + buffer.offset_bytes;
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
  FromStorage result = from_storage(buffer.type, buffer.layout, storage, batch_);
  CHECK(result.padding_is_zero);
  return std::move(result.logical);
}

void PlanRunner::run(convoke_program program) {
  for (const PlanRow& row : plan_.rows) {
    if (row.program != program) continue;
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
}

}  // namespace convoke
