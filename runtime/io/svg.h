// The few SVG elements that the plots are made of, as text.
#pragma once

#include <string>

namespace convoke {

// A number with at most two decimals and no trailing zeros.
std::string svg_number(double value);
std::string svg_escape(const std::string& text);

enum class Anchor { kStart, kMiddle, kEnd };

struct TextStyle {
  double size = 12;
  std::string color = "#3b4252";
  Anchor anchor = Anchor::kStart;
  bool bold = false;
};
std::string svg_text(double x, double y, const std::string& text, const TextStyle& style);
std::string svg_line(double x1, double y1, double x2, double y2, const std::string& color, double width);
std::string svg_rectangle(double x, double y, double width, double height, const std::string& fill, double radius);

// A whole document on a white ground, set in the viewer's sans-serif.
std::string svg_document(double width, double height, const std::string& body);

}  // namespace convoke
