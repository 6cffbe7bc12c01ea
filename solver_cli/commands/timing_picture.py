"""The bars of `solver-tools time --picture`: time, memory and speed of each layer, by matplotlib: the extra `plots`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from solver_cli.commands.timing import Timing
from solver_cli.errors import ConfigError, Where
from solver_cli.formats.atomic import atomic_write, check_place

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("png", "svg")
FORWARD, BACKWARD, LEARNED, KEPT = "#0072B2", "#E69F00", "#009E73", "#CC79A7"  # Okabe and Ito: for every eye
WIDTH, ROW, HEAD, DPI = 11.0, 0.24, 1.3, 120  # inches, dots an inch


def check(path: str) -> str:
    """The kind of picture that a file's name asks for. Raises Error, also where it cannot be written or matplotlib is not
    installed."""
    kind = Path(path).suffix[1:].lower()
    if kind not in KINDS:
        raise ConfigError(f"a picture's name ends with .png or .svg, not '{Path(path).suffix}'", Where(path))
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError("pictures need matplotlib: pip install 'solver-train[plots]'") from None
    check_place(path)
    return kind


def draw(timing: Timing, path: str) -> None:
    """Write the picture, whole or not at all. Raises Error."""
    kind = check(path)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "solver-train", "font.size": 9.0}):
        height = HEAD + ROW * max(len(timing.rows), 3)
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
        times, memory, speed = figure.subplots(1, 3, sharey=True, width_ratios=(2, 1, 1))
        figure.suptitle(f"{timing.title}, a batch of {timing.batch}", fontsize="medium")
        rows = timing.rows
        names, none = [row.name for row in rows], [0.0] * len(rows)
        ahead = [row.forward for row in rows]
        _bars(times, names, [(ahead, none, FORWARD, "forward"), ([r.backward for r in rows], ahead, BACKWARD, "backward")])
        times.set_xlabel("ms")
        learned, kept = ([getattr(row, name) / 2**20 for row in rows] for name in ("learned", "kept"))
        _bars(memory, names, [(learned, none, LEARNED, "learned"), (kept, learned, KEPT, "kept")])
        memory.set_xlabel("MiB")
        points = range(len(rows))
        for name, colour, marker in (("forward", FORWARD, "o"), ("backward", BACKWARD, "s")):
            values = [getattr(row, f"{name}_flops") / 1e9 for row in rows]
            at = [(value, point) for value, point in zip(values, points, strict=True) if value]
            speed.plot(*zip(*at, strict=True) if at else ([], []), marker, color=colour, label=name)
        _finish(speed)
        speed.set_xlim(left=0)
        speed.set_xlabel("GFLOP/s of products of matrices")
        times.invert_yaxis()
        with atomic_write(path) as file:
            figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _bars(ax: Axes, names: list[str], parts: list[tuple[list[float], list[float], str, str]]) -> None:
    """Bars side by side: (widths, where they begin, colour, label)."""
    for widths, left, colour, label in parts:
        ax.barh(range(len(names)), widths, left=left, color=colour, label=label, height=0.7)
    ax.set_yticks(range(len(names)), names)
    _finish(ax)


def _finish(ax: Any) -> None:
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0, fontsize="small")
