"""Graph operations and layers with their gradients, as dense matrices: what PyTorch Geometric computes along edges."""
import json
import numpy as np, torch, torch.nn.functional as F

tensors, metadata = {}, {}
generator = torch.Generator().manual_seed(8)


def random(*shape, scale=1.0):
    """Normal numbers that float32 holds exactly, as float64."""
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).float().double()


def store(case, attributes, **values):
    metadata[case] = json.dumps(attributes)
    for key, value in values.items():
        array = value.detach().to(torch.float32 if value.is_floating_point() else torch.int32).numpy()
        tensors[f"{case}/{key}"] = np.ascontiguousarray(array)


def differentiate(case, attributes, function, x, parameters=None, **extra):
    leaves = {k: v.clone().requires_grad_() for k, v in (parameters or {}).items()}
    x = x.clone().requires_grad_()
    y = function(x, **leaves)
    dy = random(*y.shape)
    y.backward(dy)
    values = dict(x=x, y=y, dy=dy, dx=x.grad)
    for key, leaf in leaves.items():
        values[key], values["d" + key] = leaf, leaf.grad
    store(case, attributes, **values, **extra)


# Nine nodes: a directed part, an isolated node (5), one that only hears (8), and one that is only heard (7).
NODES = 9
EDGES = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 0), (4, 0), (4, 6), (6, 4), (0, 4), (7, 2), (7, 8), (3, 8)]


def adjacency(loops):
    """A[target, source]."""
    a = torch.zeros(NODES, NODES, dtype=torch.float64)
    for source, target in EDGES:
        a[target, source] = 1
    return a + torch.eye(NODES, dtype=torch.float64) if loops else a


def convolution(x, weight, bias, normalise):
    a = adjacency(True)
    d = a.sum(1).rsqrt()
    return (a * d[:, None] * d[None, :] if normalise else a) @ (x @ weight.T) + bias


def sage(x, neighbour, own, bias):
    a = adjacency(False)
    return (a / a.sum(1, keepdim=True).clamp(min=1)) @ x @ neighbour.T + bias + x @ own.T


def attention(x, weight, source, target, bias, heads, concatenate):
    h = (x @ weight.T).view(*x.shape[:-1], heads, -1)
    scores = (h * target).sum(-1)[..., :, None, :] + (h * source).sum(-1)[..., None, :, :]
    mask = (adjacency(True) == 0)[:, :, None]
    p = F.leaky_relu(scores, 0.2).masked_fill(mask, -torch.inf).softmax(-2)
    y = torch.einsum("...ijh,...jhc->...ihc", p, h)
    return (y.flatten(-2) if concatenate else y.mean(-2)) + bias


def make():
    edges = torch.tensor(EDGES)
    for case, samples, inputs, outputs, normalise in (("", 1, 7, 4, True), ("-plain", 1, 7, 4, False),
                                                     ("-wide", 2, 5, 33, True)):
        differentiate(f"graph-convolution{case}", dict(operation="graph-convolution", nodes=NODES, normalise=normalise),
                      lambda x, **p: convolution(x, normalise=normalise, **p), random(samples, NODES, inputs),
                      dict(weight=random(outputs, inputs), bias=random(outputs)), edges=edges)
    for case, samples, inputs, outputs in (("", 1, 7, 4), ("-wide", 2, 5, 33)):
        differentiate(f"sage{case}", dict(operation="sage", nodes=NODES), lambda x, **p: sage(x, **p),
                      random(samples, NODES, inputs),
                      dict(neighbour=random(outputs, inputs), own=random(outputs, inputs), bias=random(outputs)),
                      edges=edges)
    for case, samples, inputs, heads, outputs, concatenate in (
            ("-one-head", 1, 7, 1, 4, True), ("-three-heads", 2, 5, 3, 11, True), ("-mean", 1, 7, 4, 16, False)):
        differentiate(f"graph-attention{case}",
                      dict(operation="graph-attention", nodes=NODES, heads=heads, concatenate=concatenate),
                      lambda x, **p: attention(x, heads=heads, concatenate=concatenate, **p),
                      random(samples, NODES, inputs),
                      dict(weight=random(heads * outputs, inputs), source=random(1, heads, outputs),
                           target=random(1, heads, outputs), bias=random(heads * outputs if concatenate else outputs)),
                      edges=edges)
    for case, shape in (("", (3, 17)), ("-nodes", (2, 5, 16))):
        differentiate(f"l2-normalise{case}", dict(operation="l2-normalise"), lambda x: F.normalize(x, dim=-1),
                      random(*shape, scale=3))
    x, target = random(1, 7, 5, scale=2).requires_grad_(), torch.tensor([[2, -1, 0, -1, 4, 4, -1]])
    y = F.cross_entropy(x.flatten(0, 1), target.flatten(), ignore_index=-1)
    y.backward()
    store("masked-cross-entropy", dict(operation="masked-cross-entropy"), x=x, target=target, y=y.reshape(1), dx=x.grad)
    return tensors, metadata
