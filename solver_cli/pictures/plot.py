"""Curves as a picture, PNG, SVG or PDF, by matplotlib: the extra `plots`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from solver_cli.errors import ConfigError, Where
from solver_cli.formats.atomic import atomic_write
from solver_cli.pictures.curves import Curve, Panel, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("png", "svg", "pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito: for every eye
MARKERS = "osD^vP"
WIDTH, HEIGHT, DPI = 8.0, 2.4, 120  # inches of a panel, dots an inch
FACTS: Any = {"svg.fonttype": "none", "svg.hashsalt": "solver-train", "font.size": 9.0, "axes.axisbelow": True}


def kind_of(path: str | os.PathLike[str]) -> str:
    """The kind of picture that the name of a file asks for. Raises ConfigError."""
    kind = Path(path).suffix[1:].lower()
    if kind not in KINDS:
        raise ConfigError(
            f"a picture's name ends with .png, .svg or .pdf, not '{Path(path).suffix}'", Where(os.fspath(path))
        )
    return kind


def check() -> None:
    """Raise ConfigError that names the extra where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError("plots need matplotlib: pip install 'solver-train[plots]'") from None


def write(
    path: str | os.PathLike[str],
    panels: Sequence[Panel],
    names: Sequence[str],
    x: str = "iterations",
    width: int | None = None,
) -> None:
    """Write the picture whole or not at all. `names` are the runs'. Raises Error."""
    kind = kind_of(path)
    check()
    with atomic_write(path) as file:
        _draw(file, kind, panels, names, x)


def _draw(file: BinaryIO, kind: str, panels: Sequence[Panel], names: Sequence[str], x: str) -> None:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    with matplotlib.rc_context(FACTS):
        figure = Figure(figsize=(WIDTH, HEIGHT * len(panels) + 0.7), dpi=DPI, layout="constrained", facecolor="white")
        axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        axis, unit = label(x, panels)
        handles: dict[str, Any] = {}
        for ax, panel in zip(axes, panels, strict=True):
            for curve in panel.curves:
                handles |= _plot(ax, curve, names, unit)
            ax.set_ylabel(panel.title)
            if panel.logarithmic:
                ax.set_yscale("log")
                ax.yaxis.set_major_formatter("{x:g}")
            ax.grid(color="#DDDDDD", linewidth=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        axes[-1].set_xlabel(axis)
        axes[-1].xaxis.set_major_formatter(EngFormatter(sep=""))
        figure.align_ylabels()
        columns = max(1, min(4, 90 // (max(map(len, handles), default=0) + 6)))
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=columns, frameon=False)
        figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _plot(ax: Axes, curve: Curve, names: Sequence[str], unit: float) -> dict[str, Any]:
    """Draw a curve, what is smoothed of it above what is not; {its words in the legend: its line}.

    Of one run, the nets have different colours; of several, the runs do, and tests have marks.
    """
    test = curve.net.removeprefix("test").removeprefix(" #")
    number = int(test or 0) + 1 if curve.net != "train" else 0
    colour = COLOURS[(curve.run if len(names) > 1 else number) % len(COLOURS)]
    words = f"{names[curve.run]}, {curve.net}"
    for points, faint in ((curve.points, bool(curve.means)), (curve.means, False)):
        style: dict[str, Any] = {"color": colour, "alpha": 0.3 if faint else 1.0, "linewidth": 0.8 if faint else 1.4}
        if number:
            style |= {"marker": MARKERS[(number - 1) % len(MARKERS)], "markersize": 3.5}
        elif len(points) == 1:
            style |= {"marker": "."}
        if points:
            (line,) = ax.plot([px / unit for px, _ in points], [y for _, y in points], **style)
    return {words: line}
