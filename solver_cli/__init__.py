"""solver-train: Caffe's solver and net files, trained on PyTorch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solver_cli.export.to_prototxt import to_prototxt as to_prototxt
    from solver_cli.net.net import Net as Net
    from solver_cli.solver.solver import Solver as Solver

__all__ = ["Net", "Solver", "to_prototxt"]


def __getattr__(name: str) -> Any:
    """Net, Solver and to_prototxt, imported when they are asked for: importing torch takes seconds, `--help` must not."""
    if name == "Net":
        from solver_cli.net.net import Net

        return Net
    if name == "Solver":
        from solver_cli.solver.solver import Solver

        return Solver
    if name == "to_prototxt":
        from solver_cli.export.to_prototxt import to_prototxt

        return to_prototxt
    raise AttributeError(f"module 'solver_cli' has no attribute '{name}'")
