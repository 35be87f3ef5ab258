// curves.svg: one panel a quantity, each with its own axes.
#include "runtime/io/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "runtime/io/svg.h"

namespace convoke {
namespace {

constexpr double kPanelWidth = 360, kPanelHeight = 260;  // of the drawing area with its labels
constexpr double kLeft = 56, kRight = 22, kTop = 44, kBottom = 44, kTitle = 40;
constexpr std::array<const char*, 4> kColors = {"#2563c9", "#d9652b", "#2f9e5b", "#8b5cc2"};
constexpr const char *kGrid = "#e5e9f0", *kAxis = "#9aa5b8", *kMuted = "#5b6678";

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// Ticks at 1, 2 or 5 times a power of ten, about `wanted` of them, covering [low, high].
struct Axis {
  double low = 0, high = 1, step = 1;
};

Axis make_axis(Range range, int wanted, double least_step) {
  if (!(range.low <= range.high)) range = {0, 1};
  if (range.high - range.low < 1e-12) {
    const double around = std::max(std::abs(range.high) * 0.1, least_step > 0 ? least_step : 1e-3);
    range = {range.low - around, range.high + around};
  }
  const double raw = std::max((range.high - range.low) / wanted, least_step);
  const double power = std::pow(10.0, std::floor(std::log10(raw) + 1e-9));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= raw * (1 - 1e-9)) step = factor * power;
  }
  return {std::floor(range.low / step + 1e-9) * step, std::ceil(range.high / step - 1e-9) * step, step};
}

std::string tick_text(double value, double step, bool percent) {
  if (percent) value *= 100, step *= 100;
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  char text[32];
  std::snprintf(text, sizeof text, "%.*f%s", decimals, std::abs(value) < step * 1e-6 ? 0.0 : value, percent ? "%" : "");
  return text;
}

struct Frame {
  double x, y, width, height;  // the area between the axes
  Axis across, up;
  double at_x(double value) const { return x + (value - across.low) / (across.high - across.low) * width; }
  double at_y(double value) const { return y + height - (value - up.low) / (up.high - up.low) * height; }
};

Frame make_frame(const Panel& panel, double left, double top) {
  Range x, y;
  for (const Series& series : panel.series) {
    for (double value : series.x) x.include(value);
    for (double value : series.y) y.include(value);
  }
  // Steps of 1: epochs are whole. Around a single epoch there is a whole one on either side.
  Axis across = make_axis(x, 6, 1);
  if (x.low < x.high) across.low = x.low, across.high = x.high;
  Axis up = make_axis(y, 5, 0);
  if (panel.is_percent) up.high = std::min(up.high, 1.0), up.low = std::max(up.low, 0.0);
  return {left + kLeft, top + kTop, kPanelWidth - kLeft - kRight, kPanelHeight - kTop - kBottom, across, up};
}

std::string axes_svg(const Panel& panel, const Frame& frame) {
  std::string svg;
  const double bottom = frame.y + frame.height, right = frame.x + frame.width;
  for (int i = 0; frame.up.low + i * frame.up.step <= frame.up.high + frame.up.step * 1e-6; ++i) {
    const double value = frame.up.low + i * frame.up.step, y = frame.at_y(value);
    svg += svg_line(frame.x, y, right, y, i == 0 ? kAxis : kGrid, 1);
    svg += svg_text(frame.x - 8, y + 4, tick_text(value, frame.up.step, panel.is_percent),
                    {.size = 11, .color = kMuted, .anchor = Anchor::kEnd});
  }
  const double first = std::ceil(frame.across.low / frame.across.step - 1e-9) * frame.across.step;
  for (int i = 0; first + i * frame.across.step <= frame.across.high + 1e-9; ++i) {
    const double value = first + i * frame.across.step, x = frame.at_x(value);
    svg += svg_line(x, bottom, x, bottom + 4, kAxis, 1);
    svg += svg_text(x, bottom + 18, tick_text(value, frame.across.step, false),
                    {.size = 11, .color = kMuted, .anchor = Anchor::kMiddle});
  }
  return svg + svg_text(frame.x + frame.width / 2, bottom + 36, panel.x_label,
                        {.size = 11, .color = kMuted, .anchor = Anchor::kMiddle});
}

std::string series_svg(const Series& series, const Frame& frame, const char* color) {
  std::string points, dots;
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!std::isfinite(series.y[i])) continue;
    const std::string x = svg_number(frame.at_x(series.x[i])), y = svg_number(frame.at_y(series.y[i]));
    points += (points.empty() ? "" : " ") + x + "," + y;
    dots += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"2.5\" fill=\"" + color + "\"/>\n";
  }
  if (points.empty()) return "";
  std::string svg = "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + color +
                    "\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n";
  return svg + (series.x.size() <= 40 ? dots : "");
}

// To the right of the title: a short line and a name for each series, where there is more than one.
std::string legend_svg(const Panel& panel, double right, double y) {
  std::string svg;
  if (panel.series.size() < 2) return svg;
  double x = right;
  for (size_t i = panel.series.size(); i-- > 0;) {
    const Series& series = panel.series[i];
    const std::string last = series.y.empty() ? "" : " " + tick_text(series.y.back(), 0.001, panel.is_percent);
    const std::string label = series.name + last;
    svg += svg_text(x, y, label, {.size = 11, .color = kMuted, .anchor = Anchor::kEnd});
    x -= 6.2 * static_cast<double>(label.size()) + 6;
    svg += svg_line(x - 14, y - 4, x, y - 4, kColors[i % kColors.size()], 2.5);
    x -= 26;
  }
  return svg;
}

}  // namespace

std::string curves_svg(const std::string& title, const std::vector<Panel>& panels) {
  std::string body = svg_text(24, 32, title, {.size = 17, .bold = true});
  for (size_t p = 0; p < panels.size(); ++p) {
    const double left = 10 + static_cast<double>(p) * kPanelWidth;
    const Frame frame = make_frame(panels[p], left, kTitle);
    body += svg_text(left + 14, kTitle + 26, panels[p].title, {.size = 13, .bold = true});
    body += legend_svg(panels[p], frame.x + frame.width, kTitle + 26);
    body += axes_svg(panels[p], frame);
    for (size_t s = 0; s < panels[p].series.size(); ++s) {
      body += series_svg(panels[p].series[s], frame, kColors[s % kColors.size()]);
    }
  }
  return svg_document(20 + kPanelWidth * static_cast<double>(panels.size()), kTitle + kPanelHeight + 10, body);
}

}  // namespace convoke
