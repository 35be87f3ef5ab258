#include "runtime/io/svg.h"

#include <cmath>
#include <cstdio>

namespace convoke {

std::string svg_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", std::isfinite(value) ? value : 0.0);
  std::string number = text;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  return number == "-0" ? "0" : number;
}

std::string svg_escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (static_cast<unsigned char>(c) >= 32) {  // XML has no other control characters worth drawing
      out += c;
    }
  }
  return out;
}

std::string svg_text(double x, double y, const std::string& text, const TextStyle& style) {
  static constexpr const char* kAnchors[] = {"start", "middle", "end"};
  return "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" font-size=\"" + svg_number(style.size) +
         "\" fill=\"" + style.color + "\" text-anchor=\"" + kAnchors[static_cast<int>(style.anchor)] + "\"" +
         (style.bold ? " font-weight=\"600\"" : "") + ">" + svg_escape(text) + "</text>\n";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& color, double width) {
  return "<line x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) + "\" x2=\"" + svg_number(x2) + "\" y2=\"" +
         svg_number(y2) + "\" stroke=\"" + color + "\" stroke-width=\"" + svg_number(width) + "\"/>\n";
}

std::string svg_rectangle(double x, double y, double width, double height, const std::string& fill, double radius) {
  return "<rect x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" width=\"" + svg_number(width) + "\" height=\"" +
         svg_number(height) + "\" rx=\"" + svg_number(radius) + "\" fill=\"" + fill + "\"/>\n";
}

std::string svg_document(double width, double height, const std::string& body) {
  const std::string size = "width=\"" + svg_number(width) + "\" height=\"" + svg_number(height) + "\"";
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" " + size + " viewBox=\"0 0 " + svg_number(width) + " " +
         svg_number(height) + "\" font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n" +
         svg_rectangle(0, 0, width, height, "#ffffff", 0) + body + "</svg>\n";
}

}  // namespace convoke
