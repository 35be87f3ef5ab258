"""ONNX Runtime, its CPU provider."""
import onnxruntime


def infer(folder, cell, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cell.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    feed = {"input": x}
    return lambda: session.run(None, feed)[0], session.get_session_options().intra_op_num_threads
