#include "runtime/train/library.h"

#include <dlfcn.h>
#include <link.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>

namespace convoke {
namespace {

// "lenet" of lenet.so. The name that the linker wrote into the file survives a renaming of the file.
std::string model_name(void* shared_object, const std::string& path) {
  link_map* map = nullptr;
  std::string name = path;
  if (::dlinfo(shared_object, RTLD_DI_LINKMAP, &map) == 0 && map) {
    const char* strings = nullptr;
    ElfW(Xword) offset = 0;
    for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(entry->d_un.d_ptr);
      if (entry->d_tag == DT_SONAME) offset = entry->d_un.d_val;
    }
    if (strings && offset) name = strings + offset;
  }
  return std::filesystem::path(name).stem().string();
}

Status check_table(const convoke_library* table, const std::string& name) {
  if (!table) return invalid_argument(name + ": the library returned no table");
  if (table->abi_version != CONVOKE_ABI_VERSION) {
    return failed_precondition(name + ": the library has ABI version " + std::to_string(table->abi_version) +
                               ", this program needs version " + std::to_string(CONVOKE_ABI_VERSION) +
                               "; compile the model again with this version of convoke");
  }
  if (table->struct_bytes < sizeof(convoke_library) || !table->model) {
    return invalid_argument(name + ": the library's table has " + std::to_string(table->struct_bytes) +
                            " bytes, expected " + std::to_string(sizeof(convoke_library)));
  }
  convoke_error error{};
  if (table->check_cpu(&error) != CONVOKE_OK) return failed_precondition(name + ": " + error.message);
  return ok_status();
}

}  // namespace

Status library_status(const convoke_error& error) {
  const std::string message = error.message;
  switch (error.code) {
    case CONVOKE_INVALID_ARGUMENT:
      return invalid_argument(message);
    case CONVOKE_OUT_OF_MEMORY:
    case CONVOKE_IO:
      return unavailable(message);
    case CONVOKE_UNSUPPORTED_CPU:
    case CONVOKE_FAILED_PRECONDITION:
    case CONVOKE_NOT_FINITE:
      return failed_precondition(message);
    default:
      return internal_error(message);
  }
}

Result<Library> Library::open(const std::string& path) {
  // Without a slash dlopen would search the system's folders.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable)) return not_found(path + ": no such file");
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return invalid_argument(path + ": cannot load the library: " + ::dlerror());
  std::shared_ptr<void> shared_object(handle, [](void* object) { ::dlclose(object); });
  const std::string symbol = model_name(handle, path) + "_library";
  using Entry = const convoke_library* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(handle, symbol.c_str()));
  if (!entry) return invalid_argument(path + ": not a library made by convoke (it exports no '" + symbol + "')");
  const convoke_library* table = entry();
  RETURN_IF_ERROR(check_table(table, path));
  return Library(std::move(shared_object), table);
}

Result<Library> Library::from_table(const convoke_library* table, const std::string& name) {
  RETURN_IF_ERROR(check_table(table, name));
  return Library(nullptr, table);
}

Result<Weights> create_weights(const Library& library) {
  convoke_weights* made = nullptr;
  convoke_error error{};
  if (library.table().weights_create(&made, &error) != CONVOKE_OK) return library_status(error);
  return Weights(made, {library.shared_object(), &library.table()});
}

Result<Context> create_context(const Library& library, convoke_weights* weights,
                               const convoke_context_options& options) {
  convoke_context* made = nullptr;
  convoke_error error{};
  if (library.table().context_create(weights, &options, &made, &error) != CONVOKE_OK) return library_status(error);
  return Context(made, {library.shared_object(), &library.table()});
}

Result<Pool> create_pool(const Library& library, int32_t threads) {
  convoke_pool* made = nullptr;
  convoke_error error{};
  if (library.table().pool_create(threads, &made, &error) != CONVOKE_OK) return library_status(error);
  return Pool(made, {library.shared_object(), &library.table()});
}

int32_t resolve_threads(int32_t requested) {
  constexpr int32_t kMost = 64;  // pool_create's limit
  if (requested > 0) return requested;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::clamp<int32_t>(CPU_COUNT(&set), 1, kMost);
}

std::vector<const convoke_tensor*> weight_tensors(const convoke_model& model) {
  std::vector<const convoke_tensor*> tensors;
  for (int32_t i = 0; i < model.parameter_count; ++i) tensors.push_back(&model.parameters[i]);
  for (int32_t i = 0; i < model.state_count; ++i) tensors.push_back(&model.states[i]);
  return tensors;
}

}  // namespace convoke
