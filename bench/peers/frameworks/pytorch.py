"""PyTorch eager, channels_last: inference and training."""
import torch
import torchvision  # noqa: F401, its memory is the import's

import networks


def load(folder, cell):
    torch.set_num_threads(cell.threads)
    model = networks.load(cell.network, cell.classes, folder.parent / "weights.safetensors")
    return model.to(memory_format=torch.channels_last)


def tensor(x):
    return torch.from_numpy(x).to(memory_format=torch.channels_last)


def infer(folder, cell, x):
    model, x = load(folder, cell).eval(), tensor(x)

    def call():
        with torch.inference_mode():
            return model(x).numpy()

    return call, torch.get_num_threads()


class Trainer:
    def __init__(self, folder, cell, x, labels, dropout):
        self.model = load(folder, cell).train()
        self.threads = torch.get_num_threads()
        if not dropout:
            networks.set_dropout(self.model, 0)
        self.x, self.labels = tensor(x), torch.from_numpy(labels).long()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0, momentum=0.9)

    def step(self, rate):
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.model(self.x), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def gradient(self, name):
        return self.model.get_parameter(name).grad.numpy()
