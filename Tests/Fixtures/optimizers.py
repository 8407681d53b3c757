"""Update rules: eleven weights, six gradients, and the weights after each of the six updates, in float64."""
import json
import numpy as np, torch


def make():
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(11, generator=generator)
    gradients = torch.randn(6, 11, generator=generator)
    tensors, metadata = {"weights": weights.numpy(), "gradients": gradients.numpy()}, {}
    cases = {
        "sgd": (torch.optim.SGD, dict(lr=0.1)),
        "sgd-momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
        "sgd-nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True)),
        "sgd-momentum-decay": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.01)),
        "adam": (torch.optim.Adam, dict(lr=0.01)),
        "adam-decay": (torch.optim.Adam, dict(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.05)),
        "adamw": (torch.optim.AdamW, dict(lr=0.01)),
        "adamw-decay": (torch.optim.AdamW, dict(lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)),
        "rmsprop": (torch.optim.RMSprop, dict(lr=0.01)),
        "rmsprop-momentum": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.9, momentum=0.9, weight_decay=0.01)),
    }
    for case, (optimizer, options) in cases.items():
        weight = torch.nn.Parameter(weights.double())
        rule = optimizer([weight], **options)
        kept = {k: rule.defaults[k] for k in ("lr", "momentum", "nesterov", "weight_decay", "betas", "eps", "alpha")
                if k in rule.defaults}
        metadata[case] = json.dumps(dict(optimizer=optimizer.__name__, **kept))
        after = []
        for gradient in gradients:
            weight.grad = gradient.double()
            rule.step()
            after.append(weight.detach().float().clone())
        tensors[f"{case}/after"] = torch.stack(after).numpy()
    return tensors, metadata
