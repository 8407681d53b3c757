"""Makes references.json, the numbers that the tests of this folder compare against, with PyTorch in float64.

    python -m venv /tmp/references && /tmp/references/bin/pip install torch==2.15.0 numpy
    /tmp/references/bin/python Tests/OptimizersTests/make_references.py

`rules`: options as our configurations write them, and the weights (a matrix of 2 x 3 and a vector of 5, one after the
other) after updates 1, 2 and 10 on ten given gradients.  The learning rate follows the schedule of the case, five steps an
epoch.  `schedules`: the rate at each of 40 steps, four an epoch.  LARS is no part of PyTorch: `Lars` below follows the paper.
"""
import itertools, json, pathlib
import torch
from torch.optim import lr_scheduler as schedulers

STEPS, RECORDED = 10, (1, 2, 10)


class Lars(torch.optim.Optimizer):
    """You, Gitman & Ginsburg 2017, algorithm 1; vectors excluded from adaptation and decay on request."""

    def __init__(self, params, lr, momentum, weight_decay, trust, exclude):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, trust=trust, exclude=exclude))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                decay, ratio = group["weight_decay"], 1.0
                if group["exclude"] and w.dim() <= 1:
                    decay = 0.0
                elif w.norm() > 0 and w.grad.norm() > 0:
                    ratio = group["trust"] * w.norm() / (w.grad.norm() + decay * w.norm())
                m = self.state[w].setdefault("m", torch.zeros_like(w))
                m.mul_(group["momentum"]).add_(group["lr"] * ratio * (w.grad + decay * w))
                w.sub_(m)


class DecoupledSGD(torch.optim.SGD):
    """SGD whose decay does not pass through gradient and momentum, as AdamW's does not."""

    def __init__(self, params, decay, **options):
        super().__init__(params, **options)
        self.decay = decay

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                w.mul_(1 - group["lr"] * self.decay)
        super().step()


def cosine(optimizer, steps, warmup, minimum=0.0, start=0.01):
    fall = schedulers.CosineAnnealingLR(optimizer, steps - warmup, eta_min=minimum)
    return warmed(optimizer, fall, warmup, start)


def warmed(optimizer, schedule, warmup, start=0.01):
    if warmup == 0:
        return schedule
    rise = schedulers.LinearLR(optimizer, start, 1.0, warmup)
    return schedulers.SequentialLR(optimizer, [rise, schedule], [warmup])


def rule_cases():
    """Pairs of our options and a function that makes PyTorch's optimizer."""
    yes = {False: "false", True: "true"}
    for momentum, nesterov, decay, decoupled in itertools.product((0, 0.9), (False, True), (0, 0.05), (False, True)):
        if (nesterov and not momentum) or (decoupled and not decay):
            continue
        ours = f"name: sgd, momentum: {momentum}, nesterov: {yes[nesterov]}, weight-decay: {decay}, decoupled: {yes[decoupled]}"
        options = dict(lr=0.1, momentum=momentum, nesterov=nesterov)
        if decoupled:
            yield ours + ", learning-rate: 0.1", lambda p, o=options, d=decay: DecoupledSGD(p, d, **o)
        else:
            yield ours + ", learning-rate: 0.1", lambda p, o=options, d=decay: torch.optim.SGD(p, weight_decay=d, **o)
    for rule, name in ((torch.optim.Adam, "adam"), (torch.optim.AdamW, "adamw")):
        yield f"name: {name}", lambda p, r=rule: r(p)
        for decay, (beta1, beta2), epsilon in itertools.product((0, 0.05), ((0.9, 0.999), (0.7, 0.95)), (1e-8, 1e-2)):
            options = dict(lr=0.02, weight_decay=decay, betas=(beta1, beta2), eps=epsilon)
            yield (f"name: {name}, learning-rate: 0.02, weight-decay: {decay}, beta1: {beta1}, beta2: {beta2}, "
                   f"epsilon: {epsilon}", lambda p, r=rule, o=options: r(p, **o))
    yield "name: rmsprop", lambda p: torch.optim.RMSprop(p)
    for momentum, centered, decay, alpha in itertools.product((0, 0.9), (False, True), (0, 0.05), (0.99, 0.8)):
        options = dict(lr=0.02, momentum=momentum, centered=centered, weight_decay=decay, alpha=alpha, eps=1e-3)
        yield (f"name: rmsprop, learning-rate: 0.02, momentum: {momentum}, centered: {yes[centered]}, "
               f"weight-decay: {decay}, alpha: {alpha}, epsilon: 0.001",
               lambda p, o=options: torch.optim.RMSprop(p, **o))
    for momentum, decay, exclude in itertools.product((0, 0.9), (0, 0.05), (False, True)):
        options = dict(lr=0.5, momentum=momentum, weight_decay=decay, trust=0.02, exclude=exclude)
        yield (f"name: lars, learning-rate: 0.5, momentum: {momentum}, weight-decay: {decay}, trust: 0.02, "
               f"exclude-vectors: {yes[exclude]}", lambda p, o=options: Lars(p, **o))


def rules():
    generator = torch.Generator().manual_seed(4)
    weights = torch.randn(11, generator=generator)
    gradients = torch.randn(STEPS, 11, generator=generator)
    schedule = ", schedule: {name: cosine, minimum: 0.001}, warmup: 0.6"  # three steps
    cases = []
    for ours, make in rule_cases():
        for suffix, clip in (("", None), (schedule, None), (schedule, 1.5)):
            if clip and "weight-decay: 0.05" not in ours:
                continue
            matrix = torch.nn.Parameter(weights[:6].double().reshape(2, 3))
            vector = torch.nn.Parameter(weights[6:].double())
            optimizer = make([matrix, vector])
            scheduler = cosine(optimizer, STEPS, 3, 0.001) if suffix else None
            after = []
            for step in range(STEPS):
                matrix.grad = gradients[step, :6].double().reshape(2, 3)
                vector.grad = gradients[step, 6:].double()
                if clip:
                    torch.nn.utils.clip_grad_norm_([matrix, vector], clip)
                optimizer.step()
                if scheduler:
                    scheduler.step()
                if step + 1 in RECORDED:
                    after.append(rounded(torch.cat([matrix.detach().flatten(), vector.detach()])))
            cases.append(dict(options="{" + ours + suffix + "}", clip=clip or 0, after=after))
    return dict(
        weights=weights.tolist(), gradients=gradients.tolist(), steps=STEPS, stepsPerEpoch=5, recorded=RECORDED, cases=cases)


def schedule_cases(steps, steps_per_epoch):
    """Pairs of our options and a function that makes PyTorch's scheduler for an optimizer of rate 0.4."""
    one_cycle = lambda o, **k: schedulers.OneCycleLR(o, 0.4, total_steps=steps, cycle_momentum=False, **k)
    yield "", lambda o: schedulers.ConstantLR(o, 1.0)
    yield "schedule: constant, warmup: 1.5", lambda o: warmed(o, schedulers.ConstantLR(o, 1.0), 6)
    yield ("schedule: {name: step, every: 3, factor: 0.5}", lambda o: schedulers.StepLR(o, 3 * steps_per_epoch, 0.5))
    yield ("schedule: {name: step, milestones: [2, 5, 9]}",
           lambda o: schedulers.MultiStepLR(o, [2 * steps_per_epoch, 5 * steps_per_epoch, 9 * steps_per_epoch]))
    yield "schedule: cosine", lambda o: cosine(o, steps, 0)
    yield "schedule: {name: cosine, minimum: 0.05}", lambda o: cosine(o, steps, 0, 0.05)
    yield "schedule: cosine, warmup: 1", lambda o: cosine(o, steps, 4)
    yield ("schedule: {name: cosine, minimum: 0.05}, warmup-steps: 7, warmup-start: 0.2",
           lambda o: cosine(o, steps, 7, 0.05, 0.2))
    yield "schedule: one-cycle", lambda o: one_cycle(o)
    yield ("schedule: {name: one-cycle, rise: 0.5, start-divisor: 10, end-divisor: 100}",
           lambda o: one_cycle(o, pct_start=0.5, div_factor=10, final_div_factor=100))


def schedules():
    steps, steps_per_epoch, cases = 40, 4, []
    for ours, make in schedule_cases(steps, steps_per_epoch):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
        scheduler, rates = make(optimizer), []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if len(rates) < steps:
                scheduler.step()
        cases.append(dict(options="{name: sgd, learning-rate: 0.4" + (", " + ours if ours else "") + "}", rates=[float(f"{rate:.12g}") for rate in rates]))
    return dict(steps=steps, stepsPerEpoch=steps_per_epoch, cases=cases)


def norms():
    """Clipping as PyTorch does it: [norm, clip, scale]."""
    cases = []
    for norm, clip in ((3.0, 1.0), (0.5, 1.0), (1.0, 1.0), (0.0, 1.0), (1e-7, 1e-8), (1e20, 0.1)):
        parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        parameter.grad = torch.ones(1, dtype=torch.float64) * norm
        torch.nn.utils.clip_grad_norm_([parameter], clip)
        cases.append([norm, clip, parameter.grad.item() / norm if norm else 1.0])
    return cases


def rounded(tensor):
    return [float(f"{value:.9g}") for value in tensor.tolist()]


def lines(document):
    """One case a line."""
    cases = ",\n".join(json.dumps(case) for case in document.pop("cases"))
    return json.dumps(document)[:-1] + ', "cases": [\n' + cases + "]}"


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("references.json")
    path.write_text(
        f'{{"torch": "{torch.__version__}",\n"clipping": {json.dumps(norms())},\n'
        f'"schedules": {lines(schedules())},\n"rules": {lines(rules())}}}\n')
    json.loads(path.read_text())
