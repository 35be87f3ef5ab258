// Halide 21's run-time structures as generated kernels read them (HalideRuntime.h), declared here so that the core
// needs no header of Halide's.
#pragma once

#include <stdint.h>

namespace convoke::core {

struct HalideDimension {
  int32_t min, extent, stride;
  uint32_t flags;
};
static_assert(sizeof(HalideDimension) == 16);

struct HalideType {
  uint8_t code;  // 0 int, 1 uint, 2 float
  uint8_t bits;
  uint16_t lanes;
};
static_assert(sizeof(HalideType) == 4);

struct HalideBuffer {
  uint64_t device;
  const void* device_interface;
  uint8_t* host;
  uint64_t flags;
  HalideType type;
  int32_t dimensions;
  HalideDimension* dim;
  void* padding;
};
static_assert(sizeof(HalideBuffer) == 56);

typedef int (*HalideTask)(void* user_context, int index, uint8_t* closure);

}  // namespace convoke::core
