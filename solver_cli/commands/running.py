"""What every command does around its work: the log, errors as one line, the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from solver_cli import errors


@contextmanager
def reported(level: int = logging.INFO) -> Iterator[None]:
    """Log to stderr, from `level` on; end with one line and exit code 1 on an error that the user can act on."""
    from solver_cli import log

    log.to_stderr(level=level)
    try:
        yield
    except errors.Error as error:
        click.echo(getattr(error, "traceback", "") + (str(error) if error.where else f"error: {error}"), err=True)
        leave(1)
    except (RuntimeError, MemoryError) as error:
        if line := _device_trouble(error):
            click.echo(f"error: {line}", err=True)
            sys.exit(1)
        raise


def _device_trouble(error: RuntimeError | MemoryError) -> str:
    """The line for what a user's machine may do to any step; "" for anything else, which is a bug of ours."""
    text = str(error).partition("\n")[0]
    if errors.out_of_memory(error):
        return f"out of memory: lower batch_size, and raise iter_size by the same factor to train alike ({text})"
    if "device-side assert" in text:
        return f"the GPU refused an index, mostly a label out of range: --cpu names it ({text})"
    return f"the GPU failed: {text}" if text.startswith("CUDA error") else ""


def leave(code: int) -> NoReturn:
    """End the process, also where a reader is stuck for ever: Python would wait for some of its threads."""
    prefetch = sys.modules.get("solver_cli.data.prefetch")
    if prefetch and prefetch.stuck():
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
