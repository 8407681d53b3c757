"""Twenty steps of training a model from weights and batches of `streams.py`, and one batch of logits."""
import copy, json, math
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
import models
from streams import classes, symmetric

STEPS = 20
# name: model, batch, shape of a sample (None: tokens), classes, optimizer, its description
CASES = {
    "mlp": (models.mlp, 128, (1, 28, 28), 10, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            dict(name="sgd", learningRate=0.01, momentum=0.9)),
    "cnn": (models.CNN, 64, (1, 28, 28), 10, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            dict(name="sgd", learningRate=0.01, momentum=0.9)),
    "resnet20": (models.resnet20, 64, (3, 32, 32), 10, lambda p: torch.optim.SGD(p, lr=1e-3),
                 dict(name="sgd", learningRate=1e-3, momentum=0.0)),
    "gpt": (models.GPT, 16, None, 65, lambda p: torch.optim.AdamW(p, lr=3e-4),
            dict(name="adamw", learningRate=3e-4, betas=[0.9, 0.999], epsilon=1e-8, weightDecay=0.01)),
}
CONTEXT = 64


def initialise(model):
    """Sets every parameter by the formula and describes it: {name, shape, bound} or {name, shape, constant}."""
    described = []
    with torch.no_grad():
        for path, module in model.named_modules():
            for key, parameter in module.named_parameters(recurse=False):
                name, shape = f"{path}.{key}" if path else key, list(parameter.shape)
                if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
                    constant = 1.0 if key == "weight" else 0.0
                    parameter.fill_(constant)
                    described.append(dict(name=name, shape=shape, constant=constant))
                    continue
                fan_in = module.weight[0].numel()
                bound = 1.0 if isinstance(module, nn.Embedding) else float(np.float32(math.sqrt(1 / fan_in)))
                parameter.copy_(torch.from_numpy(symmetric(name, shape, bound)))
                described.append(dict(name=name, shape=shape, bound=bound))
    order = [name for name, _ in model.named_parameters()]
    return sorted(described, key=lambda d: order.index(d["name"]))


def inputs(sample, batch, count, stream):
    if sample is None:
        return torch.from_numpy(classes(stream, (batch, CONTEXT), count))
    return torch.from_numpy(symmetric(stream, (batch, *sample), np.float32(math.sqrt(3))))


def losses(model, make_optimizer, sample, batch, count, dtype, channels_last=False):
    """The losses of the first steps, each before its update, and the gradients of step 0."""
    model = copy.deepcopy(model).to(dtype).train()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer, values, first = make_optimizer(model.parameters()), [], None
    for step in range(1 if channels_last else STEPS):
        x = inputs(sample, batch, count, f"x/{step}")
        x = x.to(dtype) if x.is_floating_point() else x
        if channels_last:
            x = x.to(memory_format=torch.channels_last)
        y = torch.from_numpy(classes(f"y/{step}", (batch * (CONTEXT if sample is None else 1),), count))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if first is None:
            first = {name: p.grad.double().contiguous().clone() for name, p in model.named_parameters()}
        optimizer.step()
        values.append(loss.item())
    return values, first


def make():
    torch.set_num_threads(1)
    tensors, metadata = {}, {}
    for name, (make_model, batch, sample, count, make_optimizer, optimizer) in CASES.items():
        model = make_model()
        parameters = initialise(model)
        exact, gradients = losses(model, make_optimizer, sample, batch, count, torch.float64)
        rounded, own = losses(model, make_optimizer, sample, batch, count, torch.float32)
        tensors[f"{name}/losses/float64"] = np.float32(exact)
        tensors[f"{name}/losses/float32"] = np.float32(rounded)
        if name == "resnet20":
            _, last = losses(model, make_optimizer, sample, batch, count, torch.float32, channels_last=True)
            for description in parameters:
                key = description["name"]
                tensors[f"{name}/gradients/{key}"] = gradients[key].float().numpy()
                error = lambda other: ((other[key] - gradients[key]).norm() / gradients[key].norm()).item()
                description["float32Error"] = dict(default=error(own), channelsLast=error(last))
        with torch.no_grad():
            x = inputs(sample, 4, count, "x/evaluation")
            logits = model.double().eval()(x.double() if x.is_floating_point() else x)
        tensors[f"{name}/logits"] = logits.float().reshape(*((4, CONTEXT) if sample is None else (4,)), count).numpy()
        metadata[name] = json.dumps(dict(batch=batch, sample=list(sample or (CONTEXT,)), classes=count, steps=STEPS,
                                         tokens=sample is None, optimizer=optimizer, parameters=parameters,
                                         float64Losses=exact))
        worst = max(abs(a - b) / a for a, b in zip(exact, rounded))
        print(f"{name}: first {exact[0]:.6f}, last {exact[-1]:.6f}, float32 off by at most {worst:.1e} (relative)")
        if name == "resnet20":
            for layout in ("default", "channelsLast"):
                print(f"  gradients, {layout}: worst float32 error {max(p['float32Error'][layout] for p in parameters):.1e}")
    return tensors, metadata
