"""What stands in for a GPU where there is none: the device meta, and tensors of the CPU that say they are a GPU's.

`Waits` sees what would make a GPU be waited for, by torch's own means (see torch.utils._python_dispatch, torch.overrides).
`as_if_cuda` lets the code take the ways that it takes on a GPU, with the CPU's numbers.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import solver_cli

OURS = Path(solver_cli.__file__).parent  # where the package lies, which may be installed
GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
READS = {  # operators that look at values before they know what to give
    *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "bincount", "_unique2", "unique_dim"),
    *("unique_consecutive", "repeat_interleave"),
}
MASKS = (torch.bool, torch.uint8)  # indices whose ones are counted first
IDLE = {"empty", "empty_like", "empty_strided", "promote_types", "detach"}  # operators that give a GPU nothing to do
TAKES = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__", "__array__", "__contains__"}
SENDS = {"tensor", "as_tensor", "asarray", "new_tensor"}  # numbers of Python's: on a GPU such a copy waits


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is on, notes in `found` what a GPU would be waited for, and counts in `launched` the operators that work.

    With `meta` tensors of more than one number that are elsewhere are noted as well.
    """

    def __init__(self, meta: bool = False):
        super().__init__()  # type: ignore[no-untyped-call]
        self.meta = meta
        self.found: list[str] = []
        self.launched: Counter[str] = Counter()
        self._calls = _Calls(self)

    def __enter__(self) -> Waits:
        self._calls.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._calls.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        if name in READS or (name in ("index", "index_put_") and any(x.dtype in MASKS for x in _tensors(args[1]))):
            self.note(name)
        result = func(*args, **(kwargs or {}))
        if not func.is_view and name not in IDLE:
            self.launched[name] += 1
        if self.meta and any(not x.is_meta and x.dim() for x in _tensors([result])):
            self.note(f"{name} gives a tensor on the CPU")
        return result

    def note(self, what: str) -> None:
        """Keep `what`, with the line of the package that did it."""
        ours = [frame for frame in traceback.extract_stack() if frame.filename.startswith(str(OURS))]
        place = f"{Path(ours[-1].filename).relative_to(OURS)}:{ours[-1].lineno}: {ours[-1].line}" if ours else "torch itself"
        self.found.append(f"{what} in {place}")


class _Calls(TorchFunctionMode):
    """Sees calls that need not come down to an operator: a CPU's numbers are read where they lie."""

    def __init__(self, waits: Waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        kwargs = kwargs or {}
        if name in TAKES or (name == "to" and "cpu" in _devices(args, kwargs)):
            self.waits.note(name)
        elif name in SENDS and str(kwargs.get("device", "cpu")) != "cpu" and not isinstance(args[-1], Tensor):
            self.waits.note(f"numbers by {name}")
        return func(*args, **kwargs)


class _Pretence(TorchFunctionMode):
    """Tensors of the CPU say they are a GPU's, and what is asked of the GPU is done on the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        getter = getattr(getattr(func, "__self__", None), "__name__", "")
        if getattr(func, "__name__", "") != "__get__":
            getter = ""
        if getter == "is_cpu":
            return False
        if getter == "is_cuda":
            return True
        if getter == "device":
            return GPU
        args = tuple(CPU if isinstance(x, torch.device) and x.type == "cuda" else x for x in args)
        if str(kwargs.get("device", "")).startswith("cuda"):
            kwargs = {**kwargs, "device": CPU}
        if kwargs.get("pin_memory"):
            kwargs = {**kwargs, "pin_memory": False}
        return func(*args, **kwargs)


@contextmanager
def as_if_cuda() -> Iterator[Waits]:
    """Inside, tensors of the CPU say they are a GPU's; what would be waited for is noted."""
    waits = Waits()
    with ExitStack() as stack:
        stack.enter_context(_Pretence())
        yield stack.enter_context(waits)


def _devices(args: Any, kwargs: Any) -> list[str]:
    """The types of the devices that a call names."""
    return [str(x).partition(":")[0] for x in (*args[1:2], kwargs.get("device")) if isinstance(x, (str, torch.device))]


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


class Replays(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records as a GPU does (see `passes.graphed.Recorder`): operators with their arguments, to do again on the same memory.

    What was there before is after a recording as it was, and what the recording made is NaN until it is replayed.
    """

    def __init__(self, draws: torch.Generator | None = None):
        super().__init__()  # type: ignore[no-untyped-call]
        self.draws = draws
        self.done: list[tuple[Any, Any, Any, Any]] = []
        self.recorded = 0  # times
        self._made: set[int] = set()  # storages
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    @contextmanager
    def beside(self) -> Iterator[None]:
        yield

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        self.done, self._made, self._before = [], set(), {}
        drawn = self.draws.get_state() if self.draws is not None else None
        with self:
            work()
        if self.draws is not None:
            self.draws.set_state(drawn)
        done = self.done
        with torch.no_grad():
            for tensor, before in self._before.values():
                tensor.copy_(before)
            for *_, made in done:
                for x in made:
                    if x.is_floating_point():
                        x.fill_(torch.nan)
        return lambda: self._replay(done)

    @torch.no_grad()
    def _replay(self, done: list[tuple[Any, Any, Any, Any]]) -> None:
        for func, args, kwargs, made in done:
            result = func(*args, **kwargs)
            for x, new in zip(made, _tensors([result] if made else []), strict=True):
                x.copy_(new)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for place, given in zip(func._schema.arguments, args, strict=False):
            if place.alias_info is not None and place.alias_info.is_write:
                self._keep(_tensors([given]))
        self._keep(_tensors([kwargs["out"]] if "out" in kwargs else []))
        result = func(*args, **kwargs)
        views = any(place.alias_info is not None for place in func._schema.returns)
        made = [] if views else [x.detach() for x in _tensors([result])]
        self._made.update(x.untyped_storage().data_ptr() for x in made)
        self.done.append((func, args, kwargs, made))
        return result

    def _keep(self, written: Iterable[Tensor]) -> None:
        for x in written:
            place = x.untyped_storage().data_ptr()
            if place not in self._made and place not in self._before:
                self._before[place] = x.detach(), x.detach().clone()
