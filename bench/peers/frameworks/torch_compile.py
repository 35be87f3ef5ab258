"""PyTorch's compiler (Inductor, weights frozen), channels_last: inference."""
import torch
import torch._inductor.config

from frameworks import pytorch

torch._inductor.config.freezing = True


def infer(folder, cell, x):
    model, x = torch.compile(pytorch.load(folder, cell).eval()), pytorch.tensor(x)

    def call():
        with torch.inference_mode():
            return model(x).numpy()

    return call, torch.get_num_threads()
