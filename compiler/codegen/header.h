// <model>.h: the ABI, the model's constants and the library's one function, for C and C++.
#pragma once

#include <string>

#include "runtime/core/convoke.h"

namespace convoke {

std::string library_header(const convoke_model& model);

}  // namespace convoke
