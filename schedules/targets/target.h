// Targets are data (schedules/targets/*.textproto). Code tests fields, never names.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

struct TargetSpec {
  std::string name;                       // "x86-64-avx512", the file's name
  std::string halide_target;              // without no_runtime and the like
  std::string llvm_triple;                // of the emitted plan and the core's bitcode
  std::vector<std::string> cpu_features;  // checked by the library before anything runs
  int vector_lanes = 0;                   // f32 in a register
  int vector_registers = 0;
  int l1_bytes = 0, l2_bytes = 0;
  int l3_bytes = 0;            // of the last cache, what one network may count on
  std::string dynamic_loader;  // of convoke-run
  std::string runner;          // prefix that runs a program of this target here ("qemu-aarch64 -L …"); empty: natively
};

Result<TargetSpec> parse_target(const std::string& text, const std::string& name);
Result<TargetSpec> find_target(const std::string& name);  // "host" names the best target this CPU supports
bool runs_here(const TargetSpec& target);                 // by this CPU, natively
std::vector<std::string> target_names();                  // sorted; the files are embedded when Convoke is built

}  // namespace convoke
