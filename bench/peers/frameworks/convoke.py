"""Libraries that Convoke has generated, by ctypes through their C ABI."""
import ctypes
import json

import numpy as np

from frameworks.convoke_abi import ABI_VERSION, ContextOptions, Error, Library, Metrics, Update

NHWC, GRADIENT = 0, 0
INFER, FORWARD, LOSS, BACKWARD, UPDATE = range(1, 6)


def open_library(path, network):
    entry = getattr(ctypes.CDLL(path), network + "_library")
    entry.restype = ctypes.POINTER(Library)
    library = entry().contents
    assert library.abi_version == ABI_VERSION
    return library


def work(path, cell):
    """[flops, bytes] of each kernel that a call or a training step runs."""
    model = open_library(path, cell.network).model.contents
    programs = (FORWARD, LOSS, BACKWARD, UPDATE) if cell.training else (INFER,)
    n = cell.batch
    return [[row.flops_per_sample * n + row.flops_per_call, row.bytes_per_sample * n + row.bytes_per_call]
            for row in model.rows[:model.row_count] if row.program in programs]


class Session:
    """A library with weights and a context: its own file of weights to infer, safetensors to train."""

    def __init__(self, folder, cell, weights, training):
        self.library = open_library(folder / f"{cell.network}.so", cell.network)
        self.error, self.threads = Error(), cell.threads
        self.model = self.library.model.contents
        self.weights, self.context = ctypes.c_void_p(), ctypes.c_void_p()
        if training:
            self.call(self.library.weights_create, ctypes.byref(self.weights))
            self.load_weights(weights)
        else:
            self.call(self.library.weights_open, bytes(weights), ctypes.byref(self.weights))
        options = ContextOptions(training=training, threads=cell.threads, input_layout=NHWC)
        self.call(self.library.context_create, self.weights, ctypes.byref(options), ctypes.byref(self.context))

    def call(self, function, *arguments):
        if function(*arguments, ctypes.byref(self.error)):
            raise RuntimeError(self.error.message.decode())

    def tensors(self):
        """Parameters, then running statistics."""
        return self.model.parameters[:self.model.parameter_count] + self.model.states[:self.model.state_count]

    def load_weights(self, path):
        data = np.memmap(path, np.uint8, mode="r")
        header_bytes = int.from_bytes(bytes(data[:8]), "little")
        header = json.loads(bytes(data[8:8 + header_bytes]))
        for i, tensor in enumerate(self.tensors()):
            at = 8 + header_bytes + header[tensor.name.decode()]["data_offsets"][0]
            self.call(self.library.weights_set, self.weights, i, data.ctypes.data + at, tensor.elems)


def pointers(*arrays):
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def nhwc(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def infer(folder, cell, x):
    session = Session(folder / "convoke", cell, folder / "convoke" / f"{cell.network}.weights", training=0)
    x, y = nhwc(x), np.empty((len(x), session.model.outputs[0].elems), np.float32)
    inputs, outputs, error = pointers(x), pointers(y), ctypes.byref(session.error)
    run, context, n = session.library.infer, session.context, len(x)

    def call():
        if run(context, n, inputs, outputs, error):
            raise RuntimeError(session.error.message.decode())
        return y

    call.kept = session, x  # `inputs` has its address alone
    return call, session.threads


class Trainer:
    def __init__(self, folder, cell, x, labels, dropout):
        library = folder / ("convoke" if dropout else "convoke_without_dropout")
        self.session = Session(library, cell, folder.parent / "weights.safetensors", training=1)
        self.threads = self.session.threads
        self.x, self.labels, self.steps = nhwc(x), labels, 0
        self.inputs, self.metrics = pointers(self.x), Metrics()

    def step(self, rate):
        session, library = self.session, self.session.library
        session.call(library.forward_backward, session.context, len(self.x), self.inputs, self.labels.ctypes.data, None,
                     ctypes.byref(self.metrics))
        self.steps += 1
        update = Update(learning_rate=rate, step=self.steps)
        session.call(library.update, session.context, ctypes.byref(update), None)
        return self.metrics.loss

    def gradient(self, name):
        session = self.session
        parameters = session.model.parameters[:session.model.parameter_count]
        i = next(i for i, tensor in enumerate(parameters) if tensor.name.decode() == name)
        gradient = np.empty(parameters[i].elems, np.float32)
        session.call(session.library.field_get, session.context, GRADIENT, i, gradient.ctypes.data, gradient.size)
        return gradient
