#include "runtime/io/terminal.h"

#include <unistd.h>

#include <algorithm>

#include "runtime/base/check.h"

namespace convoke {
namespace {

constexpr const char* kReset = "\x1b[0m";

struct Pixel {
  int rgb[3];
};

Pixel pixel_at(const Image& image, int x, int y) {
  Pixel pixel;
  const size_t at = static_cast<size_t>(y * image.width + x) * static_cast<size_t>(image.channels);
  for (size_t c = 0; c < 3; ++c) pixel.rgb[c] = image.pixels[at + (image.channels == 3 ? c : 0)];
  return pixel;
}

std::string color_code(int ground, const Pixel& pixel) {
  return "\x1b[" + std::to_string(ground) + ";2;" + std::to_string(pixel.rgb[0]) + ";" + std::to_string(pixel.rgb[1]) +
         ";" + std::to_string(pixel.rgb[2]) + "m";
}

std::string colored_line(const Image& image, int y) {
  std::string line, before;
  for (int x = 0; x < image.width; ++x) {
    std::string code = color_code(38, pixel_at(image, x, y));  // of the upper half
    code += y + 1 < image.height ? color_code(48, pixel_at(image, x, y + 1)) : "\x1b[49m";
    if (code != before) line += code;
    before = code;
    line += "\u2580";
  }
  return line + kReset;
}

std::string shaded_line(const Image& image, int y) {
  static constexpr const char* kShades[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
  std::string line;
  for (int x = 0; x < image.width; ++x) {
    int sum = 0;
    for (int row : {y, std::min(y + 1, image.height - 1)}) {
      const Pixel pixel = pixel_at(image, x, row);
      sum += pixel.rgb[0] + pixel.rgb[1] + pixel.rgb[2];
    }
    line += kShades[std::min(4, sum * 5 / (6 * 255))];
  }
  return line;
}

// Characters of one column each: all but UTF-8 continuation bytes.
int text_columns(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

Image reduced(const Image& image, int columns) {
  if (image.width <= columns) return image;
  return resize(image, columns, std::max(1, (image.height * columns + image.width / 2) / image.width));
}

}  // namespace

TerminalColors terminal_colors(std::FILE* stream) {
  return ::isatty(::fileno(stream)) ? TerminalColors::kTrueColor : TerminalColors::kNone;
}

std::vector<std::string> image_lines(const Image& image, int columns, TerminalColors colors) {
  const Image small = reduced(image, columns);
  std::vector<std::string> lines;
  for (int y = 0; y < small.height; y += 2) {
    lines.push_back(colors == TerminalColors::kTrueColor ? colored_line(small, y) : shaded_line(small, y));
  }
  return lines;
}

std::string pictures_text(const std::vector<Image>& images, const std::vector<std::vector<std::string>>& captions,
                          int columns, TerminalColors colors) {
  ENSURE(images.size() == captions.size()) << images.size() << " images, " << captions.size() << " captions";
  struct Column {
    std::vector<std::string> lines;
    std::vector<int> widths;
  };
  std::vector<Column> shown;
  size_t picture_rows = 0, rows = 0;
  for (const Image& image : images) {
    Column column{image_lines(image, columns, colors), {}};
    column.widths.assign(column.lines.size(), std::min(image.width, columns));
    picture_rows = std::max(picture_rows, column.lines.size());
    shown.push_back(std::move(column));
  }
  for (size_t i = 0; i < shown.size(); ++i) {
    shown[i].lines.resize(picture_rows);
    shown[i].widths.resize(picture_rows, 0);
    for (const std::string& line : captions[i]) {
      shown[i].lines.push_back(line);
      shown[i].widths.push_back(text_columns(line));
    }
    rows = std::max(rows, shown[i].lines.size());
  }
  std::string text;
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < shown.size(); ++i) {
      const bool has_line = r < shown[i].lines.size();
      if (has_line) text += shown[i].lines[r];
      const int width = has_line ? shown[i].widths[r] : 0;
      if (i + 1 < shown.size()) text += std::string(static_cast<size_t>(std::max(columns + 3 - width, 1)), ' ');
    }
    text += "\n";
  }
  return text;
}

}  // namespace convoke
