// The values of one layer's op: `F`, or the parameter that `F_from` names; counted, checked, mistakes reported at the
// field.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "compiler/frontend/located.h"

namespace convoke {

using Parameters = std::map<std::string, int64_t, std::less<>>;

// Reports for one layer.
struct Report {
  Diagnostics& diagnostics;
  std::string layer;  // path
  bool failed = false;

  void error(std::string_view id, Position position, std::string message, std::string hint = "") {
    failed = true;
    diagnostics.add({id, position, layer, std::move(message), std::move(hint)});
  }
};

struct Range {
  int64_t min, max;
};
inline constexpr int64_t kMaxElems = (int64_t{1} << 31) - 1;  // of a tensor, of all parameters

// The value of a parameter in scope. `position` is where it is named.
std::optional<int64_t> find_parameter(const Parameters& parameters, const std::string& name, Position position,
                                      Report& report);

// Reads the fields of a message (an op, the use of a block). After a report the answers are usable but meaningless.
class Fields {
 public:
  Fields(Located<google::protobuf::Message> message, Position position, const Parameters& parameters, Report& report)
      : message_(message), position_(position), parameters_(parameters), report_(report) {}

  bool has(const std::string& field) const;  // itself, or _from
  int64_t required(const std::string& field, Range range);
  int64_t optional(const std::string& field, Range range, int64_t otherwise);
  std::vector<int64_t> required_pair(const std::string& field, Range range);  // [y, x]
  std::vector<int64_t> pair(const std::string& field, Range range, std::vector<int64_t> otherwise);
  std::vector<int64_t> sides(const std::string& field, Range range);  // [top, bottom, left, right]; otherwise zeros
  double number(const std::string& field, double min, double max);

  Position position_of(const std::string& field, int index = -1) const;
  Position position() const { return position_; }  // of the message
  Report& report() { return report_; }

 private:
  std::vector<int64_t> values(const std::string& field, Range range);
  void missing(const std::string& field);

  Located<google::protobuf::Message> message_;
  Position position_;
  const Parameters& parameters_;
  Report& report_;
};

}  // namespace convoke
