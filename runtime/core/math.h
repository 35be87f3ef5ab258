// The few elementary functions that the core needs, from basic arithmetic in double only: the same bits on every
// machine.
#pragma once

namespace convoke::core {

double natural_log(double x);     // x positive and normal
double square_root(double x);     // x positive and normal; within one unit in the last place
double inverse_normal(double p);  // 0 < p < 1; relative error about 1e-15

}  // namespace convoke::core
