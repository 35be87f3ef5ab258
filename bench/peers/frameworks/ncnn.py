"""ncnn, float32. It knows no batch: a call takes the images one by one."""
import ncnn
import numpy as np


def infer(folder, cell, x):
    net = ncnn.Net()
    net.opt.num_threads = cell.threads
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    if net.load_param(str(folder / "model.ncnn.param")) or net.load_model(str(folder / "model.ncnn.bin")):
        raise RuntimeError("ncnn cannot load the model")
    images = [ncnn.Mat(image) for image in x]

    def call():
        outputs = []
        for image in images:
            extractor = net.create_extractor()
            extractor.input("in0", image)
            outputs.append(np.array(extractor.extract("out0")[1]))
        return np.stack(outputs)

    call.kept = x  # the images are views of it
    return call, net.opt.num_threads
