// Small images as text, two pixels a character, for predictions in a terminal.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "runtime/io/image.h"

namespace convoke {

enum class TerminalColors { kNone, kTrueColor };

// kTrueColor if `stream` is a terminal. (The driver decides about NO_COLOR.)
TerminalColors terminal_colors(std::FILE* stream);

// The image's lines, each `columns` characters wide at most; a larger image is reduced. With colours, half blocks in
// the pixels' own colours; without, shades from blank to full by brightness, for a dark background.
std::vector<std::string> image_lines(const Image& image, int columns, TerminalColors colors);

// Pictures beside each other with captions below (each may have several lines); `columns` a picture.
std::string pictures_text(const std::vector<Image>& images, const std::vector<std::vector<std::string>>& captions,
                          int columns, TerminalColors colors);

}  // namespace convoke
