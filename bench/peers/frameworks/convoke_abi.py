"""runtime/core/convoke.h in ctypes: what the comparison calls."""
import ctypes
from ctypes import POINTER, c_char, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p

ABI_VERSION = 5

class Error(ctypes.Structure):
    _fields_ = [("code", c_int32), ("message", c_char * 252)]


class Tensor(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("dtype", c_int32), ("rank", c_int32), ("dims", c_int64 * 8), ("elems", c_int64),
                ("init", c_int32), ("init_value", c_float)]


class Row(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("schedule", c_char_p), ("program", c_int32), ("flops_per_sample", c_int64),
                ("flops_per_call", c_int64), ("bytes_per_sample", c_int64), ("bytes_per_call", c_int64)]


class Model(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("target", c_char_p)] + [
        (name, c_int32) for name in ("capacity", "has_training", "input_count", "output_count", "parameter_count",
                                     "state_count", "row_count", "moment_count")
    ] + [(name, POINTER(Tensor)) for name in ("inputs", "outputs", "parameters", "states")] + [
        ("moment_names", POINTER(c_char_p)), ("rows", POINTER(Row))
    ]  # sizes and images follow


class ContextOptions(ctypes.Structure):
    _fields_ = [("training", c_int32), ("threads", c_int32), ("input_layout", c_int32), ("pool", c_void_p),
                ("parallel_for", c_void_p), ("host", c_void_p)]


class Metrics(ctypes.Structure):
    _fields_ = [("loss", c_float), ("accuracy", c_float)]


class Update(ctypes.Structure):
    _fields_ = [("learning_rate", c_float), ("step", c_int64), ("max_gradient_norm", c_float)]


def function(*arguments):
    """convoke_code f(arguments…, convoke_error*)."""
    return ctypes.CFUNCTYPE(c_int32, *arguments, POINTER(Error))


UNUSED = c_void_p
CONTEXT = WEIGHTS = OUT = DATA = c_void_p


class Library(ctypes.Structure):
    _fields_ = [
        ("abi_version", c_uint32), ("struct_bytes", c_uint32), ("model", POINTER(Model)), ("check_cpu", UNUSED),
        ("pool_create", UNUSED), ("pool_destroy", UNUSED),
        ("weights_create", function(OUT)), ("weights_destroy", UNUSED),
        ("weights_set", function(WEIGHTS, c_int32, DATA, c_int64)),
        ("weights_get", UNUSED), ("weights_initialize", UNUSED), ("weights_save", UNUSED),
        ("weights_open", function(c_char_p, OUT)),
        ("context_create", function(WEIGHTS, POINTER(ContextOptions), OUT)), ("context_destroy", UNUSED),
        ("infer", function(CONTEXT, c_int32, DATA, OUT)), ("infer_image", UNUSED),
        ("forward_backward", function(CONTEXT, c_int32, DATA, DATA, DATA, POINTER(Metrics))),
        ("forward", UNUSED), ("backward", UNUSED),
        ("update", function(CONTEXT, POINTER(Update), DATA)),
        ("field_get", function(CONTEXT, c_int32, c_int32, DATA, c_int64)),
    ]  # and more, of no use here
