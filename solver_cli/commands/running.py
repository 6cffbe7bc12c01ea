"""What every command does around its work: the log, errors as one line, the exit code."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TextIO

import click

from solver_cli import errors

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


@contextmanager
def reported(level: int = logging.INFO, quiet: bool = False, rank: str = "0") -> Iterator[None]:
    """Log to stderr, from `level` on, results only if `quiet`; an error that the user can act on is a line, and the end.

    Of several ranks only "0" logs; the errors of others name them.
    """
    _open_streams()
    from solver_cli import log

    log.to_stderr(level=level if rank == "0" else logging.ERROR, quiet=quiet)
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # nobody reads on: click ends the command
    except OSError as error:
        if error.errno not in FULL:
            raise
        sys.stdout = _nowhere()  # Python would try once more at its end
        click.echo(f"error: cannot write to the standard output: {error.strerror}", err=True)
        sys.exit(1)
    except errors.Error as error:
        if not error.told:
            line = getattr(error, "traceback", "") + (str(error) if error.where else f"error: {error}")
            click.echo(line if rank == "0" else f"rank {rank}: {line}", err=True)
        leave(1)
    except Exception as error:
        from solver_cli.text.user_code import own_failure

        if line := own_failure(error):
            click.echo(line, err=True)
            leave(1)
        if line := _device_trouble(error):
            click.echo(f"error: {line}", err=True)
            sys.exit(1)
        raise


def ended(run: Callable[[Sequence[str]], int], args: Sequence[str]) -> NoReturn:
    """Run a command that is not click's, and end the process with its exit code; 130 after Ctrl-C."""
    try:
        code = run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # nobody reads on
        sys.stdout, code = _nowhere(), 1
    leave(code)


def _open_streams() -> None:
    """Let closed standard streams lead nowhere: a file that is opened later would be taken for one of them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere())


def _nowhere() -> TextIO:
    return open(os.devnull, "r+")


def _device_trouble(error: Exception) -> str:
    """The line for what a user's machine may do to any step; "" for anything else, which is a bug of ours."""
    text = str(error).partition("\n")[0]
    if errors.out_of_memory(error):
        if text.startswith("OpenCV"):
            return f"out of memory: a picture is made too large ({text.rpartition('error: ')[2]})"
        return f"out of memory: lower batch_size, and raise iter_size by the same factor to train alike ({text})"
    if not isinstance(error, RuntimeError):
        return ""
    if "device-side assert" in text:
        return f"the GPU refused an index, mostly a label out of range: --cpu names it ({text})"
    return f"the GPU failed: {text}" if text.startswith("CUDA error") else ""


def leave(code: int) -> NoReturn:
    """End the process, also where a reader is stuck for ever: Python would wait for some of its threads."""
    prefetch = sys.modules.get("solver_cli.data.prefetch")
    if prefetch and prefetch.stuck():
        from multiprocessing import active_children

        from solver_cli.solver.workers import kill

        kill(active_children())
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
