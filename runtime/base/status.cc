#include "runtime/base/status.h"

#include <cstdio>
#include <cstdlib>

namespace convoke {

void ensure_failed(const char* file, int line, const char* condition, const std::string& why) {
  std::fprintf(stderr, "%s:%d: internal error: ENSURE(%s) failed%s%s\n", file, line, condition, why.empty() ? "" : ": ",
               why.c_str());
  std::fflush(stderr);
  std::abort();
}

Status invalid_argument(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }
Status not_found(std::string message) { return {Code::kNotFound, std::move(message)}; }
Status failed_precondition(std::string message) { return {Code::kFailedPrecondition, std::move(message)}; }
Status data_loss(std::string message) { return {Code::kDataLoss, std::move(message)}; }
Status unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
Status internal_error(std::string message) { return {Code::kInternal, std::move(message)}; }

}  // namespace convoke
