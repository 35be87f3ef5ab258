// The table that <model>_library() returns.
#include "runtime/core/calls.h"
#include "runtime/core/pool.h"

extern "C" const convoke_library convoke_core_library = {
    CONVOKE_ABI_VERSION,           sizeof(convoke_library),           &convoke_model_data,
    convoke::core::check_cpu,      convoke::core::pool_create,        convoke::core::pool_destroy,
    convoke::core::weights_create, convoke::core::weights_destroy,    convoke::core::weights_set,
    convoke::core::weights_get,    convoke::core::weights_initialize, convoke::core::weights_save,
    convoke::core::weights_open,   convoke::core::context_create,     convoke::core::context_destroy,
    convoke::core::infer,          convoke::core::infer_image,        convoke::core::forward_backward,
    convoke::core::forward,        convoke::core::backward,           convoke::core::update,
    convoke::core::field_get,      convoke::core::field_set,          convoke::core::capture,
    convoke::core::profile,        convoke::core::profile_read,
};
