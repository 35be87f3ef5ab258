// Pictures of a run as SVG: self-contained text, readable in a light or a dark viewer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoke {

struct Series {
  std::string name;
  std::vector<double> x, y;
};

struct Panel {
  std::string title, x_label;
  std::vector<Series> series;
  bool is_percent = false;  // y in [0, 1], labelled as percent
};

// Panels side by side.
std::string curves_svg(const std::string& title, const std::vector<Panel>& panels);

// counts: [true][predicted], square in class_names. Cells are shaded by their share of the row.
std::string confusion_svg(const std::string& title, const std::vector<std::string>& class_names,
                          const std::vector<int64_t>& counts);

}  // namespace convoke
