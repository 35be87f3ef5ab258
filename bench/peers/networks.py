"""The networks in PyTorch, with weights from a seed: every framework gets these."""
import torch
import torchvision


class LeNet(torch.nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2 = torch.nn.Linear(400, 120), torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, num_classes)
        self.relu, self.pool = torch.nn.ReLU(), torch.nn.AvgPool2d(2)

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x))).flatten(1)
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


def build(network, classes):
    constructor = LeNet if network == "lenet" else getattr(torchvision.models, network)
    return constructor(num_classes=classes)


def load(network, classes, weights):
    """The network with the weights of a safetensors file."""
    import safetensors.torch
    with torch.device("meta"):
        model = build(network, classes)
    state = safetensors.torch.load_file(weights)
    for name, buffer in model.named_buffers():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros((), dtype=torch.long)
    model.load_state_dict(state, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model


def randomize(model, seed):
    """Kaiming's weights, and statistics and biases that a framework cannot leave out unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.dim() >= 2:
                fan_in = tensor[0].numel()
                tensor.normal_(0, (2 / fan_in)**0.5, generator=generator)
            elif name.endswith("running_var"):
                tensor.uniform_(1, 3, generator=generator)
            elif name.endswith("running_mean") or name.endswith("bias"):
                tensor.uniform_(-0.1, 0.1, generator=generator)
            elif name.endswith("weight"):
                tensor.uniform_(0.5, 1, generator=generator)
    return model


def set_dropout(model, p):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = p
