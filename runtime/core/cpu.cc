// CPU features by the names that target files use (Halide's spelling where it has one). On x86-64 CPUID and, for
// registers that the operating system must save, XGETBV; on aarch64 the kernel's hardware capabilities.
#include "runtime/core/calls.h"
#include "runtime/core/message.h"

namespace convoke::core {
namespace {

#if defined(__x86_64__)

struct Feature {
  const char* name;
  uint32_t leaf, subleaf;
  int reg, bit;   // reg: 0 eax … 3 edx
  uint64_t xcr0;  // register state that the system must have enabled
};
constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;
constexpr Feature kFeatures[] = {
    {"sse41", 1, 0, 2, 19, 0},           {"fma", 1, 0, 2, 12, kYmm},        {"avx", 1, 0, 2, 28, kYmm},
    {"f16c", 1, 0, 2, 29, kYmm},         {"avx2", 7, 0, 1, 5, kYmm},        {"bmi2", 7, 0, 1, 8, 0},
    {"avx512f", 7, 0, 1, 16, kZmm},      {"avx512dq", 7, 0, 1, 17, kZmm},   {"avx512ifma", 7, 0, 1, 21, kZmm},
    {"avx512cd", 7, 0, 1, 28, kZmm},     {"avx512bw", 7, 0, 1, 30, kZmm},   {"avx512vl", 7, 0, 1, 31, kZmm},
    {"avx512vbmi", 7, 0, 2, 1, kZmm},    {"avx512vbmi2", 7, 0, 2, 6, kZmm}, {"avx512vnni", 7, 0, 2, 11, kZmm},
    {"avx512bitalg", 7, 0, 2, 12, kZmm}, {"avx512bf16", 7, 1, 0, 5, kZmm},  {"avxvnni", 7, 1, 0, 4, kYmm},
};

struct Registers {
  uint32_t of[4];
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  __asm__ volatile("cpuid" : "=a"(r.of[0]), "=b"(r.of[1]), "=c"(r.of[2]), "=d"(r.of[3]) : "0"(leaf), "2"(subleaf));
  return r;
}

uint64_t enabled_state() {
  if (!(cpuid(1, 0).of[2] >> 27 & 1)) return 0;  // OSXSAVE
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool present(const Feature& feature) {
  if (cpuid(0, 0).of[0] < feature.leaf || cpuid(feature.leaf, 0).of[0] < feature.subleaf * (feature.leaf == 7)) {
    return false;
  }
  if ((enabled_state() & feature.xcr0) != feature.xcr0) return false;
  return cpuid(feature.leaf, feature.subleaf).of[feature.reg] >> feature.bit & 1;
}

#else

struct Feature {
  const char* name;
  unsigned long vector;  // of getauxval: AT_HWCAP, AT_HWCAP2
  int bit;
};
constexpr unsigned long kHwcap = 16, kHwcap2 = 26;
constexpr Feature kFeatures[] = {
    {"neon", kHwcap, 1}, {"arm_fp16", kHwcap, 10}, {"arm_dot_prod", kHwcap, 20},
    {"sve", kHwcap, 22}, {"sve2", kHwcap2, 1},
};

bool present(const Feature& feature) { return getauxval(feature.vector) >> feature.bit & 1; }

#endif

}  // namespace

int32_t check_cpu(convoke_error* error) {
  for (const char* const* name = convoke_plan.cpu_features; name && *name; ++name) {
    const Feature* found = nullptr;
    for (const Feature& feature : kFeatures) {
      if (equal_text(feature.name, *name)) found = &feature;
    }
    if (!found || !present(*found)) {
      return Message(error, CONVOKE_UNSUPPORTED_CPU)
             << convoke_model_data.name << " was compiled for " << convoke_model_data.target << "; this CPU "
             << (found ? "lacks " : "is not known to have ") << *name;
    }
  }
  return succeed(error);
}

}  // namespace convoke::core
