// confusion.svg: rows are true classes, columns predictions.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "runtime/base/check.h"
#include "runtime/io/plot.h"
#include "runtime/io/svg.h"

namespace convoke {
namespace {

constexpr const char* kMuted = "#5b6678";

// From white to a full colour, blue for right answers and orange for wrong ones. The root lets rare mistakes be seen.
std::string cell_color(double share, bool right) {
  const double t = std::sqrt(share) * (right ? 1.0 : 1.4);
  const int full[2][3] = {{217, 101, 43}, {37, 99, 201}};
  char text[8];
  int rgb[3];
  for (int c = 0; c < 3; ++c) {
    rgb[c] = static_cast<int>(std::lround(247 + (full[right][c] - 247) * std::min(t, 1.0)));
  }
  std::snprintf(text, sizeof text, "#%02x%02x%02x", static_cast<unsigned>(rgb[0]) & 255u,
                static_cast<unsigned>(rgb[1]) & 255u, static_cast<unsigned>(rgb[2]) & 255u);
  return text;
}

// Wide class names over narrow columns are written upwards.
std::string column_label(double x, double y, const std::string& text) {
  return "<g transform=\"translate(" + svg_number(x) + " " + svg_number(y) + ") rotate(-45)\">" +
         svg_text(0, 0, text, {.size = 12}) + "</g>\n";
}

}  // namespace

std::string confusion_svg(const std::string& title, const std::vector<std::string>& class_names,
                          const std::vector<int64_t>& counts) {
  const size_t classes = class_names.size();
  ENSURE(counts.size() == classes * classes) << counts.size() << " counts of " << classes << " classes";
  size_t longest = 1;
  for (const std::string& name : class_names) longest = std::max(longest, name.size());
  const double cell = classes <= 20 ? 44 : std::max(6.0, 880.0 / static_cast<double>(classes));
  const bool has_text = cell >= 30;
  const double label = std::clamp(6.8 * static_cast<double>(longest), 20.0, 200.0);
  const double left = 56 + label, top = 62 + label * 0.72;
  const double side = cell * static_cast<double>(classes);
  std::string body = svg_text(24, 32, title, {.size = 17, .bold = true});
  for (size_t truth = 0; truth < classes; ++truth) {
    int64_t row = 0;
    for (size_t c = 0; c < classes; ++c) row += counts[truth * classes + c];
    const double y = top + cell * static_cast<double>(truth);
    if (cell >= 11) {
      body += svg_text(left - 10, y + cell / 2 + 4, class_names[truth], {.anchor = Anchor::kEnd});
      body += column_label(left + cell * (static_cast<double>(truth) + 0.5) + 4, top - 8, class_names[truth]);
    }
    for (size_t c = 0; c < classes; ++c) {
      const int64_t count = counts[truth * classes + c];
      const double share = row > 0 ? static_cast<double>(count) / static_cast<double>(row) : 0;
      const double x = left + cell * static_cast<double>(c), gap = has_text ? 1.5 : 0.25;
      body += svg_rectangle(x + gap, y + gap, cell - 2 * gap, cell - 2 * gap, cell_color(share, c == truth),
                            has_text ? 3 : 0);
      if (has_text && count > 0) {
        body += svg_text(x + cell / 2, y + cell / 2 + 4, std::to_string(count),
                         {.size = 11.5, .color = share > 0.3 ? "#ffffff" : "#3b4252", .anchor = Anchor::kMiddle});
      }
    }
  }
  body += svg_text(left + side / 2, top + side + 26, "predicted", {.color = kMuted, .anchor = Anchor::kMiddle});
  body += "<g transform=\"translate(24 " + svg_number(top + side / 2) + ") rotate(-90)\">" +
          svg_text(0, 0, "true class", {.color = kMuted, .anchor = Anchor::kMiddle}) + "</g>\n";
  return svg_document(left + side + std::max(30.0, label * 0.72), top + side + 44, body);
}

}  // namespace convoke
