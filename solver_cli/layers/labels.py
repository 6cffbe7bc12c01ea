"""Labels that must be classes: what layers that read them check, and the net for them before they travel to a GPU."""

from __future__ import annotations

from torch import Tensor

from solver_cli.errors import DataError


def check_labels(labels: Tensor, classes: int, ignored: int | None = None) -> None:
    """Refuse labels (N, ...) on the CPU that name no class. Raises DataError with the first one's place and value."""
    values = labels.detach().numpy()  # a fifth of the time of torch's operations on so few numbers
    if not values.size or (values.min() >= 0 and values.max() < classes):
        return
    wrong = (values < 0) | (values >= classes)
    if ignored is not None:
        wrong &= values != ignored
    if wrong.any():
        first = tuple(int(i[0]) for i in wrong.nonzero())
        raise DataError(
            f"label {values[first]} of item {first[0] if first else 0} of the batch (at {first}) is not in "
            f"0..{classes - 1}: there are {classes} classes"
        )
