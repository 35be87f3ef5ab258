// The CPU that a schedule was measured on.
#pragma once

#include <string>

namespace convoke {

// Of this machine: "AMD EPYC, family 25, model 1", as the kernel names it; "unknown" where it does not.
std::string cpu_name();
std::string cpu_name(const std::string& cpuinfo);  // the text of /proc/cpuinfo

}  // namespace convoke
