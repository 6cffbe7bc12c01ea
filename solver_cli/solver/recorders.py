"""Which recorders a run's options ask for."""

from __future__ import annotations

from solver_cli.solver.loglines import LogLines
from solver_cli.solver.options import Options
from solver_cli.solver.recording import Recorder, Tables, Watched
from solver_cli.solver.redrawing import Picture
from solver_cli.solver.tensorboard import TensorBoard


def recorders(options: Options, lines: LogLines) -> list[Recorder]:
    """Tables, picture, TensorBoard, as `options` say, of what the log's `lines` tell. Raises ConfigError."""
    run = Watched(lines.train, lines.tests, lines.schedule, lines.noise, lines.precision, lines.ranks.size)
    tables = [Tables(run, options.csv)] if options.csv else []
    pictures = [Picture(run, options.plot, tables[0].kept if tables else {})] if options.plot else []
    boards = [TensorBoard(run, options.tensorboard)] if options.tensorboard else []
    return [*tables, *pictures, *boards]
