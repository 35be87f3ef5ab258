// What references around the softmax share.
#pragma once

#include <cstdint>

namespace convoke {

double log_sum_exp(const double* x, int64_t k);  // log Σ_k e^x of a row, shifted by the maximum

}  // namespace convoke
