#include "runtime/io/table.h"

#include <algorithm>

namespace convoke {

size_t text_columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string format_table(std::string_view alignment, const std::vector<TableRow>& rows) {
  std::vector<size_t> widths(alignment.size());
  for (const TableRow& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], text_columns(row[c]));
  }
  size_t total = 2 * (widths.size() - 1);
  for (size_t width : widths) total += width;
  std::string text;
  for (const TableRow& row : rows) {
    std::string line = row.empty() ? std::string(total, '-') : "";
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - text_columns(row[c]), ' ');
      if (c > 0) line += "  ";
      line += alignment[c] == 'r' ? space + row[c] : row[c] + space;
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace convoke
