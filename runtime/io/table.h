// Text tables for a terminal: columns as wide as their widest cell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoke {

using TableRow = std::vector<std::string>;  // as many cells as `alignment`; an empty row is a rule

// `alignment`: a character a column, 'l' or 'r'. Two spaces between columns, none at the end of a line. Cells are UTF-8
// of one column a character.
std::string format_table(std::string_view alignment, const std::vector<TableRow>& rows);

size_t text_columns(std::string_view text);  // that a terminal shows

}  // namespace convoke
