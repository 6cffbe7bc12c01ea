"""A solver as a PyTorch loop of its own, beside the module of its net: rule, rates, accumulation, clipping, decay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.export.pieces import number
from solver_cli.export.to_python import Module, formatted
from solver_cli.solver.solverspec import SolverSpec, check
from solver_cli.updates.rules import RULES

SAID = {
    *("type", "base_lr", "lr_policy", "gamma", "power", "stepsize", "stepvalue", "max_iter", "momentum", "momentum2"),
    *("delta", "rms_decay", "weight_decay", "regularization_type", "iter_size", "clip_gradients"),
}
ASIDE = {  # what makes no difference to what is learned
    *("net", "train_net", "test_net", "test_iter", "test_interval", "test_initialization", "test_compute_loss"),
    *("display", "average_loss", "snapshot", "snapshot_prefix", "snapshot_diff", "snapshot_format", "weights"),
    *("snapshot_after_train", "solver_mode", "device_id", "random_seed", "debug_info", "layer_wise_reduce"),
    *("train_state", "test_state", "eval_type", "ap_version", "show_per_class_result"),
}
STEPS = {  # the lines that make `step` of g, the rate lr and the history
    "SGD": """
(v,) = history[key]
v.mul_({momentum}).add_(lr * g)  # torch.optim has the rate outside of v
step = v""",
    "Nesterov": """
(v,) = history[key]
before = v.clone()
v.mul_({momentum}).add_(lr * g)  # torch.optim has the rate outside of v
step = (1 + {momentum}) * v - {momentum} * before""",
    "AdaGrad": """
(h,) = history[key]
h.addcmul_(g, g)
step = lr * g / (h.sqrt() + {delta})""",
    "RMSProp": """
(h,) = history[key]
h.mul_({rms_decay}).addcmul_(g, g, value=1 - {rms_decay})
step = lr * g / (h.sqrt() + {delta})""",
    "AdaDelta": """
h, steps = history[key]
h.mul_({momentum}).addcmul_(g, g, value=1 - {momentum})
step = g * ((steps + {delta}) / (h + {delta})).sqrt()
steps.mul_({momentum}).addcmul_(step, step, value=1 - {momentum})
step = lr * step""",
    "Adam": """
m, v = history[key]
m.mul_({momentum}).add_(g, alpha=1 - {momentum})
v.mul_({momentum2}).addcmul_(g, g, value=1 - {momentum2})
t = iteration + 1
lr *= (1 - {momentum2}**t) ** 0.5 / (1 - {momentum}**t)
step = lr * m / (v.sqrt() + {delta})  # torch.optim adds to the corrected root""",
}
RATES = {
    "fixed": "{base_lr}",
    "step": "{base_lr} * {gamma} ** (iteration // {stepsize})",
    "exp": "{base_lr} * {gamma} ** iteration",
    "inv": "{base_lr} * (1 + {gamma} * iteration) ** -{power}",
    "multistep": "{base_lr} * {gamma} ** sum(iteration >= value for value in ({stepvalues}))",
    "poly": "{base_lr} * (1 - iteration / {max_iter}) ** {power}",
    "sigmoid": "{base_lr} / (1 + math.exp(-{gamma} * (iteration - {stepsize})))",
}


def source(spec: SolverSpec, module: Module, stem: str) -> str:
    """The text of a file that trains the class of the file `stem`.py as the solver says. Raises ConfigError."""
    check(spec)
    param = spec.param
    for field, _ in param.ListFields():
        if field.name not in SAID | ASIDE:
            spec.fail(f"{field.name} is not written as PyTorch: take it out", field.name)
    for name, known in (("type", STEPS), ("lr_policy", RATES)):
        if getattr(param, name) not in known:
            spec.fail(f"{name} '{getattr(param, name)}' is not written as PyTorch: use {', '.join(known)}", name)
    return formatted("\n".join(_lines(spec, module, stem)) + "\n")


def _lines(spec: SolverSpec, module: Module, stem: str) -> Iterator[str]:
    param, name = spec.param, module.name
    results, labels = module.loss_arguments
    batch = ", ".join(dict.fromkeys([*module.inputs, *labels]))
    told = _told(param)
    yield f'"""Trains {name} as {Path(spec.file).name} says: {param.type}, {param.max_iter} iterations.'
    yield f'\nGive `train` batches of ({batch}), as the data layer makes them, without end.\n"""'
    yield "\nfrom __future__ import annotations\n"
    yield from (["import math"] * (param.lr_policy == "sigmoid"))
    yield from ("from collections.abc import Iterator", "", "import torch", "from torch import Tensor", "")
    yield f"from {stem} import {name}, loss"
    yield f"\nMAX_ITER = {param.max_iter}\nITER_SIZE = {param.iter_size}  # passes whose gradients make one update"
    yield from _multipliers(module.multipliers())
    yield "\n\ndef rate(iteration: int) -> float:"
    yield f'    """The policy {param.lr_policy}."""\n    return float({RATES[param.lr_policy].format(**told)})'
    yield "\n\n@torch.no_grad()"
    yield f"def update(net: {name}, history: dict[str, list[Tensor]], iteration: int) -> None:"
    yield f'    """One step of {param.type} by the gradients that the passes have added up."""'
    yield "    weights = {key: w for key, w in net.named_parameters() if multipliers(key)[0] and w.grad is not None}"
    yield "    gradients = {key: w.grad for key, w in weights.items() if w.grad is not None}"
    if param.clip_gradients >= 0:
        yield "    norm = torch.stack([g.norm() for g in gradients.values()]).norm()"
        yield f"    if norm > {number(param.clip_gradients)}:"
        yield f"        gradients = {{key: g * ({number(param.clip_gradients)} / norm) for key, g in gradients.items()}}"
    yield "    for key, w in weights.items():"
    yield f"        rate_mult, {'decay_mult' if param.weight_decay else '_'} = multipliers(key)"
    decay = "w.sign()" if param.regularization_type == "L1" else "w"
    term = f" + {number(param.weight_decay)} * decay_mult * {decay}" if param.weight_decay else ""
    yield f"        g = gradients[key] / ITER_SIZE{term}"
    yield "        lr = rate(iteration) * rate_mult"
    yield from (f"        {line}" for line in STEPS[param.type].format(**told).strip().split("\n"))
    yield "        w.sub_(step)"
    yield f"\n\ndef train(net: {name}, batches: Iterator[tuple[Tensor, ...]]) -> None:"
    yield '    """Train the net; print the loss now and then."""'
    yield "    net.train()"
    slots = ", ".join(["torch.zeros_like(w)"] * RULES[param.type].slots)
    yield f"    history = {{key: [{slots}] for key, w in net.named_parameters()}}"
    yield "    for iteration in range(MAX_ITER):\n        net.zero_grad()\n        total = 0.0"
    yield f"        for _ in range(ITER_SIZE):\n            {batch} = next(batches)"
    yield f"            {', '.join(module.returned)} = net({', '.join(module.inputs)})"
    yield f"            value = loss({', '.join([*results, *labels])})"
    yield "            value.backward()  # type: ignore[no-untyped-call]\n            total += value.item() / ITER_SIZE"
    yield "        update(net, history, iteration)"
    yield f"        if iteration % {param.display or 100} == 0:\n            print(iteration, total)"


def _told(param: SolverParameter) -> dict[str, str]:
    fields = ("base_lr", "gamma", "power", "momentum", "momentum2", "delta", "rms_decay")
    numbers = {name: number(getattr(param, name)) for name in fields}
    whole = {"stepsize": str(param.stepsize), "max_iter": str(param.max_iter)}
    return {**numbers, **whole, "stepvalues": "".join(f"{value}, " for value in param.stepvalue)}


def _multipliers(found: dict[str, tuple[float, float]]) -> Iterator[str]:
    """A function of the parameter's name: one pair for biases and one for the rest, where that is all."""
    kinds = {
        key: {pair for name, pair in found.items() if (name.rpartition(".")[2] == "bias") is key} for key in (True, False)
    }
    yield "\n\ndef multipliers(key: str) -> tuple[float, float]:"
    yield '    """What a parameter\'s rate and decay are multiplied by."""'
    if all(len(pairs) <= 1 for pairs in kinds.values()):
        bias, weight = (next(iter(kinds[key]), (1.0, 1.0)) for key in (True, False))
        yield f"    return {bias} if key.endswith('bias') else {weight}" if bias != weight else f"    return {weight}"
    else:
        rows = ", ".join(f'"{name}": {pair}' for name, pair in found.items() if pair != (1.0, 1.0))
        yield f"    special = {{{rows}}}\n    return special.get(key, (1.0, 1.0))"
