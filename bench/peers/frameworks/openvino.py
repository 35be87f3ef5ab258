"""OpenVINO's CPU plugin, float32, one request at a time."""
import openvino


def infer(folder, cell, x):
    model = openvino.Core().compile_model(folder / "model.onnx", "CPU", {
        "INFERENCE_NUM_THREADS": cell.threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    output = request.get_output_tensor()

    def call():
        request.infer()
        return output.data

    call.kept = x  # the tensor is a view of it
    return call, model.get_property("INFERENCE_NUM_THREADS")
