"""Makes what frameworks are given for a cell: weights, input, the model in their formats, PyTorch's float64 results.

    prepare.py FOLDER CELL_JSON     (measure.py calls it; keeps what is there)

FOLDER/weights.safetensors, and in FOLDER/<infer|train><batch>: input.npy (NCHW), labels.npy, and for inference
reference.npy, model.onnx, model.mnn, model.ncnn.{param,bin}, for training reference.npz.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import safetensors.torch
import torch

from cells import Cell
from compare import sample
import networks

SEED = 1
TRAINING_STEPS = 2


def write_weights(cell, path):
    if path.exists():
        return
    model = networks.randomize(networks.build(cell.network, cell.classes), SEED)
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    part = path.with_suffix(".part")
    safetensors.torch.save_file(state, part)
    part.rename(path)


def loss_and_gradients(model, x, labels):
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    return loss.item(), {name: parameter.grad for name, parameter in model.named_parameters()}


def training_reference(model, x, labels):
    """Losses of TRAINING_STEPS steps of SGD with momentum, without dropout, and the first step's gradients. The rate is
    such that a step takes a tenth off the loss: loss ~ loss - rate |g|^2."""
    networks.set_dropout(model.train(), 0)
    loss, gradients = loss_and_gradients(model, x, labels)
    squares = sum(float(gradient.square().sum()) for gradient in gradients.values())
    rate = 0.1 * loss / squares
    results = {"gradient/" + name: sample(gradient.numpy()) for name, gradient in gradients.items()}
    losses = [loss]
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    optimizer.step()
    for _ in range(1, TRAINING_STEPS):
        losses.append(loss_and_gradients(model, x, labels)[0])
        optimizer.step()
    return results | {"losses": np.array(losses), "rate": rate}


def export(model, x, folder):
    """ONNX for ONNX Runtime, OpenVINO and MNN; ncnn by way of pnnx. All in float32."""
    torch.onnx.export(model, (x,), folder / "model.onnx", input_names=["input"], output_names=["output"],
                      external_data=False, dynamo=True)
    mnnconvert = pathlib.Path(sys.executable).parent / "mnnconvert"
    subprocess.run([mnnconvert, "-f", "ONNX", "--modelFile", "model.onnx", "--MNNModel", "model.mnn", "--bizCode", "x"],
                   cwd=folder, check=True)
    import pnnx  # one image: ncnn knows no batch
    pnnx.export(model, str(folder / "model.pt"), inputs=x[:1], fp16=False, check_trace=False)
    for left in [*folder.glob("model.pnnx.*"), *folder.glob("model_*.py"), folder / "model.pt"]:
        left.unlink()


def main():
    folder, cell = pathlib.Path(sys.argv[1]), Cell(*json.loads(sys.argv[2]))
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    write_weights(cell, weights)
    case = folder / f"{'train' if cell.training else 'infer'}{cell.batch}"
    reference = case / f"reference.{'npz' if cell.training else 'npy'}"
    if reference.exists():
        return
    case.mkdir(exist_ok=True)
    x = torch.randn(cell.batch, *cell.size, generator=torch.Generator().manual_seed(SEED))
    labels = torch.arange(cell.batch) * 7 % cell.classes
    np.save(case / "input.npy", x.numpy())
    np.save(case / "labels.npy", labels.numpy().astype(np.int32))
    model = networks.load(cell.network, cell.classes, weights)
    if not cell.training:
        export(model.eval(), x, case)
    model, x = model.double(), x.double()
    if cell.training:
        np.savez(reference, **training_reference(model, x, labels))
    else:
        with torch.inference_mode():
            np.save(reference, model.eval()(x).numpy())


if __name__ == "__main__":
    main()
