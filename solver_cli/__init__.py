"""solver-train: Caffe's solver and net files, trained on PyTorch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solver_cli.net.net import Net as Net
    from solver_cli.solver.solver import Solver as Solver

__all__ = ["Net", "Solver"]


def __getattr__(name: str) -> Any:
    """Net and Solver, imported when they are asked for: importing torch takes seconds, `--help` must not."""
    if name == "Net":
        from solver_cli.net.net import Net

        return Net
    if name == "Solver":
        from solver_cli.solver.solver import Solver

        return Solver
    raise AttributeError(f"module 'solver_cli' has no attribute '{name}'")
