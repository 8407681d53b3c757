"""Times one training step of PyTorch on one thread, for launch/compare.

    python compare_torch.py MODE SECONDS MODEL...     MODE is default, channels-last or compile

One JSON line a model: median and minimum seconds of a step (forward, backward, update; samples ready in memory), its peak memory
(VmHWM of a fresh process a model), or the error where a mode does not work. Models and shapes are those of launch/compare.
"""

import json
import os
import subprocess
import sys
import time


def models():
    """name: (model, inputs for a batch, batch, targets a sample, classes, optimizer)"""
    import torch
    import torch.nn.functional as functional
    from torch import nn

    def perceptron(inputs, widths):
        layers = [nn.Flatten()]
        for width in widths:
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        return nn.Sequential(*layers, nn.Linear(inputs, 10))

    def cnn():
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))

    def odd_cnn():
        return nn.Sequential(
            nn.Conv2d(3, 17, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(17, 17, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(17, 17, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(17 * 8 * 8, 10))

    class Block(nn.Module):
        """Two 3x3 convolutions with normalisation, and a shortcut that is a 1x1 convolution where shapes change."""

        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
            self.second, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
            self.shortcut = nn.Sequential() if stride == 1 and inputs == outputs else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            inner = functional.relu(self.norm1(self.first(x)))
            return functional.relu(self.norm2(self.second(inner)) + self.shortcut(x))

    def resnet20():
        layers, inputs = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
        for outputs, stride in ((16, 1), (32, 2), (64, 2)):
            for index in range(3):
                layers.append(Block(inputs, outputs, stride if index == 0 else 1))
                inputs = outputs
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def vgg11():
        layers, inputs = [], 3
        for stage in ([64], [128], [256, 256], [512, 512], [512, 512]):
            for channels in stage:
                layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
                inputs = channels
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))

    class GPT(nn.Module):
        """A decoder with normalisation first: vocabulary 65, width 128, 4 heads, 4 blocks, context 64, tanh-GELU."""

        def __init__(self, vocabulary=65, width=128, heads=4, depth=4, context=64):
            super().__init__()
            self.heads = heads
            self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList(nn.ModuleDict({
                "norm1": nn.LayerNorm(width), "qkv": nn.Linear(width, 3 * width), "out": nn.Linear(width, width),
                "norm2": nn.LayerNorm(width), "up": nn.Linear(width, 4 * width), "down": nn.Linear(4 * width, width),
            }) for _ in range(depth))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens):
            batch, time_steps = tokens.shape
            x = self.token(tokens) + self.position(torch.arange(time_steps))
            width = x.shape[-1]
            for block in self.blocks:
                qkv = block["qkv"](block["norm1"](x)).view(batch, time_steps, 3, self.heads, width // self.heads)
                query, key, value = qkv.permute(2, 0, 3, 1, 4)
                mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
                x = x + block["out"](mixed.transpose(1, 2).reshape(batch, time_steps, width))
                x = x + block["down"](functional.gelu(block["up"](block["norm2"](x)), approximate="tanh"))
            return self.head(self.norm(x)).flatten(0, 1)

    def images(channels, size):
        return lambda batch: torch.randn(batch, channels, size, size)

    return {
        "mlp": (lambda: perceptron(784, [512, 512]), images(1, 28), 128, 1, 10),
        "cnn": (cnn, images(1, 28), 64, 1, 10),
        "resnet20": (resnet20, images(3, 32), 64, 1, 10),
        "gpt": (GPT, lambda batch: torch.randint(0, 65, (batch, 64)), 16, 64, 65),
        "wide-mlp": (lambda: perceptron(784, [1024] * 4), images(1, 28), 127, 1, 10),
        "odd-cnn": (odd_cnn, images(3, 32), 50, 1, 10),
        "vgg11": (vgg11, images(3, 32), 32, 1, 10),
    }


def measure(name, mode, seconds):
    import torch
    import torch.nn.functional as functional

    torch.manual_seed(0)
    torch.set_num_threads(1)
    make, inputs, batch, targets, classes = models()[name]
    model = make()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    samples = [inputs(batch) for _ in range(4)]
    labels = [torch.randint(0, classes, (batch * targets,)) for _ in range(4)]
    if mode == "channels-last":
        model = model.to(memory_format=torch.channels_last)
        samples = [x.to(memory_format=torch.channels_last) if x.dim() == 4 else x for x in samples]
    optimizer = (torch.optim.AdamW(model.parameters(), lr=1e-6) if name == "gpt"
                 else torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9))
    forward = torch.compile(model) if mode == "compile" else model

    def step(index):
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(forward(samples[index % 4]), labels[index % 4]).backward()
        optimizer.step()

    for index in range(5):
        step(index)
    start = time.perf_counter()
    step(0)
    count = max(10, int(seconds / (time.perf_counter() - start)))
    times = []
    for index in range(count):
        start = time.perf_counter()
        step(index)
        times.append(time.perf_counter() - start)
    times.sort()
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return dict(torch=torch.__version__, model=name, mode=mode, parameters=parameters, batch=batch,
                median_seconds=times[len(times) // 2], minimum_seconds=times[0], peak_memory_bytes=peak)


if __name__ == "__main__":
    mode, seconds, names = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    if len(names) == 1:
        print(json.dumps(measure(names[0], mode, seconds)))
    else:
        for name in names:  # a fresh process each: its peak memory is the model's own
            words = [sys.executable, os.path.abspath(__file__), mode, str(seconds), name]
            ended = subprocess.run(words, capture_output=True, text=True)
            print(ended.stdout.strip() if ended.returncode == 0 else json.dumps(
                dict(model=name, mode=mode, error=(ended.stderr.strip().splitlines() or ["?"])[-1])), flush=True)
