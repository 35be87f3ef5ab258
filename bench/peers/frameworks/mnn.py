"""MNN's CPU backend, float32."""
import MNN
import numpy as np


def infer(folder, cell, x):
    interpreter = MNN.Interpreter(str(folder / "model.mnn"))
    session = interpreter.createSession({"backend": "CPU", "numThread": cell.threads, "precision": "high"})
    given = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe)
    taken_shape = interpreter.getSessionOutput(session).getShape()
    taken = MNN.Tensor(taken_shape, MNN.Halide_Type_Float, np.zeros(taken_shape, np.float32),
                       MNN.Tensor_DimensionType_Caffe)
    interpreter.getSessionInput(session).copyFrom(given)

    def call():
        interpreter.runSession(session)
        interpreter.getSessionOutput(session).copyToHostTensor(taken)
        return taken.getNumpyData()

    return call, cell.threads  # it tells no number of threads
