"""How exactly the layers work (`--precision`); weights, gradients, history and updates are float32 always."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.errors import ConfigError, DeviceError
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.passes.sections import Section
from solver_cli.text.number_types import half, kept
from solver_cli.updates.loss_scale import FIRST, LossScale

Blobs = dict[str, Tensor]
Shares = Mapping[Node, Any] | None
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = ("fp32", "tf32", *HALVES)


def in_half(node: Node) -> bool:
    """Whether the layer works on halves where the net does."""
    return node.holds(node.kind.half) and not kept(node.param) and not any(node.loss_weights)


class Precision:
    """Lets nets that share their weights work in one precision.

    `name`   fp32, tf32, bf16 or fp16
    `scale`  the scale of the loss, in fp16
    """

    def __init__(self, asked: str | None, net: Net, tests: Sequence[Net] = ()):
        """`asked`: None takes what the file says (NVCaffe's default_forward_type), else TF32 where a GPU has it, else fp32.

        Raises ConfigError, DeviceError.
        """
        self.name = asked or _default(net)
        _check(self.name, net.device)
        self.scale: LossScale | None = None
        if net.device.type == "cuda":
            exact = self.name == "fp32"
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not exact
        if self.name == "fp16":
            first = net.param.global_grad_scale if net.param.HasField("global_grad_scale") else FIRST
            self.scale = LossScale(net.device, first if first > 0 else FIRST)
        if dtype := HALVES.get(self.name):
            for each in (net, *tests):
                each.run = Mixed(each, dtype, self.scale if each is net else None)
        if asked or self.name != "fp32":
            log.info("solver.cpp", f"--precision {self.name}: {_WORDS[self.name]}")

    def log(self) -> None:
        """What is to be said at a display."""
        if self.scale:
            self.scale.log()

    def state(self) -> dict[str, Any]:
        """What a run goes on with."""
        return {"name": self.name, "scale": self.scale.state() if self.scale else None}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; of another precision than this run's it is allowed, and said."""
        if state and state["name"] != self.name:
            log.info("solver.cpp", f"The snapshot's run had --precision {state['name']}; this one goes on with {self.name}")
        elif state and self.scale:
            self.scale.restore(state["scale"])


_WORDS = {
    "fp32": "all is float32",
    "tf32": "convolutions and matrix products take factors of 10 bits; all else is float32",
    "bf16": "layers work in bfloat16; weights, losses, statistics and updates are float32",
    "fp16": "layers work in float16, the loss is scaled; weights, losses, statistics and updates are float32; the gradient "
    "noise scale is not measured",
}


def _default(net: Net) -> str:
    if half(net.param):
        log.info("solver.cpp", "default_forward_type: FLOAT16 of the net means --precision fp16 (another one overrides it)")
        return "fp16"
    return "tf32" if net.device.type == "cuda" and _recent(net.device) else "fp32"


def _recent(device: torch.device) -> bool:
    """Whether the GPU has TF32 and bfloat16."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _check(name: str, device: torch.device) -> None:
    """Refuse what there is not, or not on the device. Raises ConfigError, DeviceError."""
    if name not in PRECISIONS:
        raise ConfigError(f"--precision {name}: expected one of {', '.join(PRECISIONS)}")
    if name == "tf32" and device.type == "cpu":
        raise DeviceError("--precision tf32: the CPU has none; fp32 and bf16 run on it")
    if name in ("tf32", "bf16") and device.type == "cuda" and not _recent(device):
        raise DeviceError(f"--precision {name}: {torch.cuda.get_device_name(device)} has none; fp32 and fp16 run on it")


class Mixed:
    """Runs layers by torch's autocast to `dtype`, and those that need it in float32. Output blobs are float32.

    Where no data are (a forecast of memory) all is float32.
    """

    def __init__(self, net: Net, dtype: torch.dtype, scale: LossScale | None = None):
        self.net, self.dtype, self.scale = net, dtype, scale
        self.run = net.run
        self._halves = {node: in_half(node) for node in net.nodes}

    def __call__(self, nodes: Sequence[Node], blobs: Blobs, shares: Shares = None, keep: bool = True) -> Tensor:
        """What Net.run does."""
        if self.net.device.type == "meta":
            return self.run(nodes, blobs, shares, keep)
        loss = torch.zeros((), device=self.net.device)
        # A weight is cast once a pass, so a cache gains nothing; it could outlive a pass that recomputation breaks off.
        with torch.autocast(self.net.device.type, self.dtype, cache_enabled=False):
            for halves, part in self._parts(nodes):
                run = self._in_half if halves else self._exact
                loss = loss + run(part, blobs, shares, keep)
        for name in self.net.outputs:
            if name in blobs:
                blobs[name] = full(blobs[name])
        return self.scale.apply(loss) if self.scale and loss.requires_grad else loss

    def _in_half(self, part: Section, blobs: Blobs, shares: Shares, keep: bool) -> Tensor:
        return self.run(part.nodes, blobs, shares, keep)

    def _exact(self, part: Section, blobs: Blobs, shares: Shares, keep: bool) -> Tensor:
        for name in part.bottoms:
            blobs[name] = full(blobs[name])
        with torch.autocast(self.net.device.type, enabled=False, cache_enabled=False):
            return self.run(part.nodes, blobs, shares, keep)

    def _parts(self, nodes: Sequence[Node]) -> list[tuple[bool, Section]]:
        """The layers in stretches that work on halves and others. (torch.compile goes through this as well.)"""
        parts: list[tuple[bool, Section]] = []
        for node in nodes:
            if not parts or parts[-1][0] != self._halves[node]:
                parts.append((self._halves[node], Section([], joins=False)))
            parts[-1][1].nodes.append(node)
        return parts


def full(x: Tensor) -> Tensor:
    return x.float() if x.dtype in HALVES.values() else x
