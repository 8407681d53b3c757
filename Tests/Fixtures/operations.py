"""Operations with their gradients: inputs are float32, everything is computed in float64 and rounded once."""
import json
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from models import attention

tensors, metadata = {}, {}
generator = torch.Generator().manual_seed(1)


def random(*shape, scale=1.0):
    """Normal numbers that float32 holds exactly, as float64."""
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).float().double()


def last(x):
    """[n, c, h, w] to [n, h, w, c]."""
    return x.permute(0, 2, 3, 1)


def store(case, attributes, **values):
    assert case not in metadata, case
    metadata[case] = json.dumps(attributes)
    for key, value in values.items():
        value = value.detach()
        array = value.to(torch.int32 if not value.is_floating_point() else torch.float32).numpy()
        tensors[f"{case}/{key}"] = np.ascontiguousarray(np.atleast_1d(array))


def differentiate(case, attributes, function, x, parameters=None, image_in=False, image_out=False, extra=None):
    """Stores x, parameters, a random dy, y and the gradients; images are turned channels-last."""
    parameters = parameters or {}
    leaves = {k: v.clone().requires_grad_() for k, v in parameters.items()}
    floating = x.is_floating_point()
    if floating:
        x = x.clone().requires_grad_()
    y = function(x, **leaves)
    dy = random(*y.shape)
    y.backward(dy)
    values = dict(x=last(x) if image_in else x, y=last(y) if image_out else y, dy=last(dy) if image_out else dy)
    if floating:
        values["dx"] = last(x.grad) if image_in else x.grad
    for key, leaf in leaves.items():
        values[key], values["d" + key] = leaf, leaf.grad
    store(case, attributes, **values, **(extra() if extra else {}))


def linear():
    for case, shape, outputs, bias in (("linear", (3, 17), 5, True), ("linear-no-bias", (3, 17), 5, False),
                                       ("linear-one-sample", (1, 16), 33, True), ("linear-sequence", (2, 5, 16), 32, True)):
        parameters = dict(weight=random(outputs, shape[-1], scale=0.3))
        if bias:
            parameters["bias"] = random(outputs)
        differentiate(case, dict(operation="linear", bias=bias), lambda x, weight, bias=None: F.linear(x, weight, bias),
                      random(*shape), parameters)


def convolution():
    #        name                    n  c  h  w  out kernel stride padding dilation groups bias
    cases = [("3x3",                 3, 3, 5, 7, 4, 3, 1, 1, 1, 1, True),
             ("3x3-no-bias",         3, 3, 5, 7, 4, 3, 1, 1, 1, 1, False),
             ("3x3-one-channel",     3, 1, 5, 7, 8, 3, 1, 1, 1, 1, True),
             ("3x3-17-channels",     1, 17, 5, 7, 17, 3, 1, 1, 1, 1, True),
             ("3x3-16-to-32",        3, 16, 8, 8, 32, 3, 1, 1, 1, 1, False),
             ("3x3-one-output",      1, 3, 5, 7, 1, 3, 1, 1, 1, 1, True),
             ("5x5",                 1, 3, 9, 11, 4, 5, 1, 0, 1, 1, True),
             ("5x5-whole-image",     3, 3, 5, 5, 17, 5, 1, 0, 1, 1, True),
             ("stride-2",            3, 3, 5, 7, 4, 3, 2, 1, 1, 1, True),
             ("stride-2-even",       3, 16, 8, 8, 16, 3, 2, 1, 1, 1, False),
             ("dilation-2",          3, 3, 7, 9, 4, 3, 1, 2, 2, 1, True),
             ("dilation-2-unpadded", 1, 17, 7, 9, 3, 3, 1, 0, 2, 1, True),
             ("groups-2",            3, 4, 5, 7, 6, 3, 1, 1, 1, 2, True),
             ("depthwise",           3, 17, 5, 7, 17, 3, 1, 1, 1, 17, True),
             ("depthwise-twofold",   1, 3, 5, 7, 6, 3, 2, 1, 1, 3, True),
             ("1x1",                 3, 17, 5, 7, 3, 1, 1, 0, 1, 1, True),
             ("1x1-stride-2",        3, 16, 8, 8, 32, 1, 2, 0, 1, 1, False),
             ("1x1-stride-2-odd",    1, 3, 5, 7, 17, 1, 2, 0, 1, 1, True)]
    for name, n, c, h, w, out, kernel, stride, padding, dilation, groups, bias in cases:
        parameters = dict(weight=random(out, c // groups, kernel, kernel, scale=0.3))
        if bias:
            parameters["bias"] = random(out)
        attributes = dict(operation="convolution", channels=out, kernel=kernel, stride=stride, padding=padding,
                          dilation=dilation, groups=groups, bias=bias)
        differentiate(f"convolution-{name}", attributes,
                      lambda x, weight, bias=None: F.conv2d(x, weight, bias, stride, padding, dilation, groups),
                      random(n, c, h, w), parameters, True, True)


def pooling():
    for name, n, c, h, w, kernel, stride, padding in (
            ("2", 3, 17, 6, 8, 2, 2, 0), ("2-odd", 1, 3, 5, 7, 2, 2, 0), ("3-stride-2-padding-1", 3, 3, 5, 7, 3, 2, 1),
            ("3-stride-2-padding-1-even", 1, 16, 8, 8, 3, 2, 1)):
        attributes = dict(kernel=kernel, stride=stride, padding=padding)
        differentiate(f"max-pool-{name}", dict(operation="max-pool", **attributes),
                      lambda x: F.max_pool2d(x, kernel, stride, padding), random(n, c, h, w), None, True, True)
        for counted in (True, False) if padding else (True,):
            case = f"average-pool-{name}" + ("" if counted else "-padding-not-counted")
            differentiate(case, dict(operation="average-pool", **attributes, countPadding=counted),
                          lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=counted),
                          random(n, c, h, w), None, True, True)
    differentiate("global-average-pool", dict(operation="global-average-pool"), lambda x: x.mean((2, 3)),
                  random(3, 17, 5, 7), None, True, False)


def normalisation():
    for case, shape, training in (("batch-norm", (3, 17, 5, 7), True), ("batch-norm-one-channel", (3, 1, 5, 7), True),
                                  ("batch-norm-16-channels", (3, 16, 4, 4), True), ("batch-norm-features", (7, 5), True),
                                  ("batch-norm-evaluation", (3, 17, 5, 7), False),
                                  ("batch-norm-features-evaluation", (7, 5), False)):
        image, c = len(shape) == 4, shape[1]
        mean, variance = random(c, scale=0.5), (random(c) ** 2 + 0.5).float().double()
        after_mean, after_variance = mean.clone(), variance.clone()
        extra = {"running-mean": mean, "running-variance": variance}
        if training:
            extra |= {"running-mean-after": after_mean, "running-variance-after": after_variance}
        differentiate(case, dict(operation="batch-norm", training=training, epsilon=1e-5, momentum=0.1),
                      lambda x, weight, bias: F.batch_norm(x, after_mean, after_variance, weight, bias, training, 0.1, 1e-5),
                      (random(*shape, scale=2) + 1).float().double(), dict(weight=random(c), bias=random(c)), image, image, lambda: extra)
    for case, shape in (("layer-norm", (3, 5, 16)), ("layer-norm-17", (3, 17))):
        w = shape[-1]
        differentiate(case, dict(operation="layer-norm", epsilon=1e-5),
                      lambda x, weight, bias: F.layer_norm(x, (w,), weight, bias, 1e-5), random(*shape, scale=2),
                      dict(weight=random(w), bias=random(w)))
    for case, shape, groups in (("group-norm", (3, 6, 5, 7), 2), ("group-norm-one-group", (1, 17, 5, 7), 1)):
        differentiate(case, dict(operation="group-norm", groups=groups, epsilon=1e-5),
                      lambda x, weight, bias: F.group_norm(x, groups, weight, bias, 1e-5), random(*shape, scale=2),
                      dict(weight=random(shape[1]), bias=random(shape[1])), True, True)


def activations():
    functions = {"relu": F.relu, "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"), "gelu-erf": F.gelu,
                 "elu": F.elu, "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
    for name, function in functions.items():
        x = torch.cat([random(3, 17, scale=2).flatten(),
                       torch.tensor([-100, -30, -12, -5, -1e-3, -1e-6, 1e-6, 1e-3, 5, 12, 30, 100]).double()])
        differentiate(name, dict(operation=name), function, x.float().double())


def losses():
    def loss(case, attributes, function, x, target):
        x = x.clone().requires_grad_()
        y = function(x, target)
        y.backward()
        store(case, attributes, x=x, target=target, y=y, dx=x.grad)

    def integers(top, *shape):
        return torch.randint(0, top, shape, generator=generator)

    for smoothing in (0.0, 0.1):
        suffix = "-smoothed" if smoothing else ""
        attributes = dict(operation="softmax-cross-entropy", labelSmoothing=smoothing)
        plain = lambda x, t: F.cross_entropy(x, t, label_smoothing=smoothing)
        loss("softmax-cross-entropy" + suffix, attributes, plain, random(7, 10, scale=2), integers(10, 7))
        loss("softmax-cross-entropy-large-logits" + suffix, attributes, plain, random(3, 17, scale=60), integers(17, 3))
        loss("softmax-cross-entropy-positions" + suffix, attributes, lambda x, t: plain(x.flatten(0, 1), t.flatten()),
             random(2, 5, 65, scale=2), integers(65, 2, 5))
    loss("binary-cross-entropy", dict(operation="binary-cross-entropy"), F.binary_cross_entropy_with_logits,
         random(7, 5, scale=8), torch.rand(7, 5, generator=generator).double())
    loss("mean-squared-error", dict(operation="mean-squared-error"), F.mse_loss, random(7, 5), random(7, 5))


def sequences():
    x = torch.tensor([[3, 0, 3, 10, 3], [10, 1, 0, 0, 7]])
    differentiate("embedding", dict(operation="embedding"), lambda x, weight: F.embedding(x, weight), x,
                  dict(weight=random(11, 17)))
    for causal in (True, False):
        for t, batch in ((5, 2), (8, 3), (70, 1)):
            for heads, width in ((1, 16), (2, 24), (4, 32)):
                differentiate(f"attention-{'causal' if causal else 'full'}-{t}-heads-{heads}",
                              dict(operation="attention", heads=heads, causal=causal),
                              lambda x: attention(x, heads, causal), random(batch, t, 3 * width))
    for cell, module in (("tanh", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
        for name, b, t, inputs, hidden in (("", 3, 5, 7, 4), ("-one-step", 1, 1, 3, 17)):
            network = module(inputs, hidden, batch_first=True).double()
            gates = {"tanh": 1, "lstm": 4, "gru": 3}[cell] * hidden
            parameters = dict(weight_ih=random(gates, inputs, scale=0.5), weight_hh=random(gates, hidden, scale=0.5),
                              bias_ih=random(gates, scale=0.5), bias_hh=random(gates, scale=0.5))
            differentiate(f"recurrent-{cell}{name}", dict(operation="recurrent", cell=cell, hidden=hidden),
                          lambda x, **p: torch.func.functional_call(network, {k + "_l0": v for k, v in p.items()}, (x,))[0],
                          random(b, t, inputs), parameters)


def shapes():
    differentiate("flatten", dict(operation="flatten"), lambda x: x.flatten(1), random(3, 4, 5, 7), None, True, False)
    a, b = random(2, 3, 3, 5), random(2, 4, 3, 5)
    store("concatenation", dict(operation="concatenation"), x0=last(a), x1=last(b), y=last(torch.cat([a, b], 1)))


def whole_batch():
    """Batch normalisation with a residual and relu over a batch whose means are hundreds of deviations away."""
    n, c = 37, 6
    mean, variance = random(c, scale=0.5), (random(c) ** 2 + 0.5).float().double()
    after_mean, after_variance = mean.clone(), variance.clone()
    extra = {"running-mean": mean, "running-variance": variance, "running-mean-after": after_mean,
             "running-variance-after": after_variance}
    x = (random(n, c) + torch.tensor([0.0, 1, -30, 100, 300, -300])).float().double()
    differentiate("batch-norm-residual-relu", dict(operation="batch-norm-residual-relu", epsilon=1e-5, momentum=0.1),
                  lambda x, weight, bias, residual: F.relu(
                      F.batch_norm(x, after_mean, after_variance, weight, bias, True, 0.1, 1e-5) + residual),
                  x, dict(weight=random(c), bias=random(c), residual=random(n, c)), extra=lambda: extra)


def resizing():
    for name, n, c, h, w, height, width in (("up", 3, 17, 3, 5, 8, 7), ("fourfold", 1, 16, 4, 4, 16, 16),
                                            ("from-one-pixel", 2, 3, 1, 1, 5, 3), ("down", 2, 3, 9, 8, 4, 3)):
        differentiate(f"bilinear-resize-{name}", dict(operation="bilinear-resize", height=height, width=width),
                      lambda x: F.interpolate(x, (height, width), mode="bilinear", align_corners=False),
                      random(n, c, h, w), None, True, True)
    for name, n, c, h, w, rows, columns in (("even", 3, 17, 8, 4, 2, 2), ("odd", 2, 3, 7, 5, 2, 3),
                                            ("more-cells-than-pixels", 1, 16, 1, 3, 2, 4)):
        differentiate(f"adaptive-pool-{name}", dict(operation="adaptive-pool", rows=rows, columns=columns),
                      lambda x: F.adaptive_avg_pool2d(x, (rows, columns)), random(n, c, h, w), None, True, True)


def contrast():
    """Supervised contrastive losses: the sum over rows that have another of their class."""
    for name, rows, width, classes in (("", 12, 17, 3), ("-loners", 5, 4, 4)):
        x = random(rows, width).requires_grad_()
        target = torch.arange(rows) * 7 % classes
        z = F.normalize(x, dim=1)
        others = ~torch.eye(rows, dtype=bool)
        logits = (z @ z.T / 0.07).masked_fill(~others, -torch.inf)
        chances = logits.log_softmax(1)
        friends = (target[:, None] == target[None]) & others
        y = -sum(chances[i][friends[i]].mean() for i in range(rows) if friends[i].any())
        y.backward()
        store("supervised-contrast" + name, dict(operation="supervised-contrast", temperature=0.07), x=x, target=target, y=y,
              dx=x.grad)


def make():
    for part in (linear, convolution, pooling, normalisation, activations, losses, sequences, shapes, whole_batch,
                 resizing, contrast):
        part()
    return tensors, metadata
