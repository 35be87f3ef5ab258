// What the runtime's tests share: folders of their own, small data sets, the hand-written library.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/train/library.h"
#include "runtime/train/recipe.h"

namespace convoke {

// An empty folder; `name` keeps the tests apart.
std::string empty_folder(const std::string& name);

void write_file(const std::string& path, const std::string& bytes);
std::string file_bytes(const std::string& path);

// tests/core/tiny_plan.h: 4x4x3 images, five classes, capacity 8, one momentum, one running statistic.
Library tiny_library();

// Images whose brightness pattern follows their class, with noise: a linear network learns them.
Dataset tiny_dataset(int64_t count, uint64_t seed);

Recipe tiny_recipe();

// An IDX file of unsigned bytes.
std::string idx_bytes(const std::vector<uint32_t>& dims, const std::string& elems);
std::string gzipped(const std::string& bytes);

}  // namespace convoke
