// A generated library opened at run time, and handles that release its objects. The only way from here to a network is
// the C table in runtime/core/convoke.h.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/core/convoke.h"

namespace convoke {

// An error of a table's function as a Status.
Status library_status(const convoke_error& error);

// An open library: the shared object stays loaded as long as a copy, or a handle made from it, lives. Any number of
// libraries may be open.
class Library {
 public:
  // Loads `path` and asks its one exported symbol, <model>_library, for the table. Refuses, with a message that names
  // the path: files that are no shared object or no library of ours, other ABI versions (found and expected), and CPUs
  // that lack a feature the code needs.
  static Result<Library> open(const std::string& path);

  // For a library that is linked into the program. `name` stands in messages.
  static Result<Library> from_table(const convoke_library* table, const std::string& name);

  const convoke_library& table() const { return *table_; }
  const convoke_model& model() const { return *table_->model; }
  const std::shared_ptr<void>& shared_object() const { return shared_object_; }

 private:
  Library(std::shared_ptr<void> shared_object, const convoke_library* table)
      : shared_object_(std::move(shared_object)), table_(table) {}
  std::shared_ptr<void> shared_object_;  // of dlopen; null for a linked-in table
  const convoke_library* table_;
};

// Destroys an object of a library, and keeps the code that does so loaded until then.
struct LibraryDeleter {
  std::shared_ptr<void> shared_object;
  const convoke_library* table = nullptr;
  void operator()(convoke_weights* weights) const { table->weights_destroy(weights); }
  void operator()(convoke_context* context) const { table->context_destroy(context); }
  void operator()(convoke_pool* pool) const { table->pool_destroy(pool); }
};
using Weights = std::unique_ptr<convoke_weights, LibraryDeleter>;
using Context = std::unique_ptr<convoke_context, LibraryDeleter>;  // must not outlive its weights and pool
using Pool = std::unique_ptr<convoke_pool, LibraryDeleter>;

Result<Weights> create_weights(const Library& library);  // all zeros
Result<Context> create_context(const Library& library, convoke_weights* weights,
                               const convoke_context_options& options);
Result<Pool> create_pool(const Library& library, int32_t threads);

// `requested` threads, or for 0 as many as this process may use at once (its CPU affinity).
int32_t resolve_threads(int32_t requested);

// Parameters, then states: the order of weights_set's `tensor`.
std::vector<const convoke_tensor*> weight_tensors(const convoke_model& model);

}  // namespace convoke
