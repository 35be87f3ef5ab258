// Reads target files, and finds the best one for the CPU that Convoke runs on (target.h).
#include "schedules/targets/target.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <string_view>

#include "schedules/targets/embedded.h"
#include "schedules/targets/target.pb.h"

namespace convoke {
namespace {

// Keeps the first error of a text.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty()) text = std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " + message;
  }
  std::string text;
};

#if defined(__x86_64__)
constexpr std::string_view kHostArchitecture = "x86_64";
#define SUPPORTS(feature) \
  if (name == #feature) return __builtin_cpu_supports(#feature) != 0;
bool cpu_supports(std::string_view name) {
  SUPPORTS(avx2)
  SUPPORTS(fma)
  SUPPORTS(avx512f)
  SUPPORTS(avx512bw)
  SUPPORTS(avx512cd)
  SUPPORTS(avx512dq)
  SUPPORTS(avx512vl)
  if (name == "f16c")
    return __builtin_cpu_supports("avx2") != 0;  // every CPU with AVX2 has it; gcc 12 has no name for it
  return false;
}
#undef SUPPORTS
#else
constexpr std::string_view kHostArchitecture = "aarch64";
bool cpu_supports(std::string_view) { return false; }
#endif

TargetSpec embedded_target(const EmbeddedTarget& target) { return parse_target(target.text, target.name).value(); }

std::string known_targets() {
  std::string names;
  for (const std::string& name : target_names()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

Result<TargetSpec> find_host() {
  std::optional<TargetSpec> best;
  for (const EmbeddedTarget& embedded : embedded_targets()) {
    TargetSpec target = embedded_target(embedded);
    if (runs_here(target) && (!best || target.vector_lanes > best->vector_lanes)) best = std::move(target);
  }
  if (!best) return not_found("this CPU runs none of the targets " + known_targets());
  best->runner.clear();
  return *best;
}

}  // namespace

bool runs_here(const TargetSpec& target) {
  return target.llvm_triple.starts_with(kHostArchitecture) && std::ranges::all_of(target.cpu_features, cpu_supports);
}

Result<TargetSpec> parse_target(const std::string& text, const std::string& name) {
  schema::Target proto;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &proto)) return invalid_argument("target " + name + ":" + error.text);
  for (int value :
       {proto.vector_lanes(), proto.vector_registers(), proto.l1_bytes(), proto.l2_bytes(), proto.l3_bytes()}) {
    if (value <= 0) {
      return invalid_argument("target " + name +
                              ": vector_lanes, vector_registers, l1_bytes, l2_bytes and l3_bytes must be > 0");
    }
  }
  if (proto.halide_target().empty() || proto.llvm_triple().empty()) {
    return invalid_argument("target " + name + ": halide_target and llvm_triple are missing");
  }
  return TargetSpec{.name = name,
                    .halide_target = proto.halide_target(),
                    .llvm_triple = proto.llvm_triple(),
                    .cpu_features = {proto.cpu_features().begin(), proto.cpu_features().end()},
                    .vector_lanes = proto.vector_lanes(),
                    .vector_registers = proto.vector_registers(),
                    .l1_bytes = proto.l1_bytes(),
                    .l2_bytes = proto.l2_bytes(),
                    .l3_bytes = proto.l3_bytes(),
                    .dynamic_loader = proto.dynamic_loader(),
                    .runner = proto.runner()};
}

Result<TargetSpec> find_target(const std::string& name) {
  if (name == "host") return find_host();
  for (const EmbeddedTarget& target : embedded_targets()) {
    if (name == target.name) return embedded_target(target);
  }
  return not_found("no target \"" + name + "\"; there are host, " + known_targets());
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const EmbeddedTarget& target : embedded_targets()) names.emplace_back(target.name);
  return names;
}

}  // namespace convoke
