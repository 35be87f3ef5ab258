"""How results are compared with PyTorch's float64."""
import numpy as np

SAMPLES = 2048  # elements of each gradient that are compared


def sample(values):
    """At most SAMPLES elements, evenly spread."""
    flat = values.reshape(-1)
    return flat[::max(1, -(-flat.size // SAMPLES))].astype(np.float64)


def largest(values):
    return np.abs(values).max()


def relative_difference(values, reference, norm):
    return float(norm(values - reference) / norm(reference))


def output_difference(y, reference):
    return relative_difference(y.reshape(reference.shape), reference, largest)


def training_differences(trainer, reference):
    """Of the steps' losses, and of the first step's gradients as a norm over all of them."""
    losses = [trainer.step(float(reference["rate"]))]
    names = [name for name in reference.files if name.startswith("gradient/")]
    actual = np.concatenate([sample(trainer.gradient(name.removeprefix("gradient/"))) for name in names])
    expected = np.concatenate([reference[name] for name in names])
    losses += [trainer.step(float(reference["rate"])) for _ in reference["losses"][1:]]
    return {"difference": relative_difference(np.array(losses), reference["losses"], largest),
            "gradient_difference": relative_difference(actual, expected, np.linalg.norm)}
