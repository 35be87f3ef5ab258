// The geometry of window.h, and its one error: a kernel larger than the padded input.
#include "compiler/ops/window.h"

#include <fmt/format.h>

namespace convoke {
namespace {

std::string describe_padding(const Window2d& window) {
  const auto& [top, bottom, left, right] = std::tie(window.top, window.bottom, window.left, window.right);
  if (top == bottom && top == left && top == right) return fmt::format("padding {}", top);
  return fmt::format("padding [{},{},{},{}]", top, bottom, left, right);
}

std::string describe_dilation(const Window2d& window) {
  if (window.dilation_y == 1 && window.dilation_x == 1) return "";
  return fmt::format(" with dilation [{},{}]", window.dilation_y, window.dilation_x);
}

}  // namespace

std::string to_string(Extent2d extent) { return fmt::format("{}x{}", extent.h, extent.w); }

Window2d window_of(const Attrs& attrs, Extent2d kernel) {
  const auto& stride = attr_ints(attrs, "stride");
  const auto& padding = attr_ints(attrs, "padding");
  Window2d window{kernel, stride[0], stride[1], padding[0], padding[1], padding[2], padding[3]};
  if (attrs.contains("dilation")) {
    window.dilation_y = attr_ints(attrs, "dilation")[0];
    window.dilation_x = attr_ints(attrs, "dilation")[1];
  }
  return window;
}

Result<Extent2d> window_positions(const Window2d& window, Extent2d input) {
  const int64_t slack_y = input.h + window.top + window.bottom - window.span().h;
  const int64_t slack_x = input.w + window.left + window.right - window.span().w;
  if (slack_y < 0 || slack_x < 0) {
    return invalid_argument(fmt::format("kernel {}{} does not fit input {} ({})", to_string(window.kernel),
                                        describe_dilation(window), to_string(input), describe_padding(window)));
  }
  return Extent2d{slack_y / window.stride_y + 1, slack_x / window.stride_x + 1};
}

}  // namespace convoke
