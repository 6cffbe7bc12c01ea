"""One layer in float64, built from its text through the Net, for tests of its numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from solver_cli import Net


class OneLayer:
    """`text` is the inside of `layer { }` but name and blobs; `shapes` are its bottoms'. Learned blobs are random."""

    def __init__(self, text: str, *shapes: tuple[int, ...], tops: int = 1, phase: str = "TRAIN"):
        inputs = "".join(
            f'layer {{ name: "in{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
            for i, shape in enumerate(shapes)
        )
        blobs = "".join(f'bottom: "x{i}" ' for i in range(len(shapes))) + "".join(f'top: "y{i}" ' for i in range(tops))
        self.net = Net.from_text(f'{inputs}layer {{ name: "test" {blobs}{text} }}', phase=phase).double()
        self.params: list[Any] = self.net.params.get("test", [])
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for blob in self.params:
                if blob.requires_grad:
                    blob.normal_(generator=generator)

    @property
    def module(self) -> Any:
        return self.net.nodes[-1].module

    def __call__(self, *bottoms: Tensor) -> Any:
        """The top, or a tuple of several tops."""
        tops = self.net.nodes[-1].run(*bottoms)
        return tops[0] if isinstance(tops, tuple) and len(tops) == 1 else tops

    def gradcheck(self, *bottoms: Tensor) -> bool:
        """Whether the gradients of bottoms that want one and of learned blobs are the derivative."""

        def forward(*inputs: Tensor) -> Any:
            if hasattr(self.module, "reset"):
                self.module.reset()
            return self(*inputs[: len(bottoms)])

        learned = [p for p in self.params if p.requires_grad]
        return bool(torch.autograd.gradcheck(forward, (*bottoms, *learned)))


def dims(shape: tuple[int, ...]) -> str:
    return " ".join(f"dim: {n}" for n in shape)


def normal(*shape: int, seed: int = 0, grad: bool = True) -> Tensor:
    """Seeded standard normal float64 numbers."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.requires_grad_(grad)


def spread(*shape: int, seed: int = 0) -> Tensor:
    """Distinct numbers 0.1 apart around 0, in random order: no ties, and no maximum changes under a small step."""
    n = int(torch.tensor(shape).prod())
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return ((order - n / 2 + 0.3) / 10).double().view(shape).requires_grad_()
