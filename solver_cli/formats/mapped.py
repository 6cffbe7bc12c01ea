"""Files mapped into memory that may fail while they are read: cut short in place, or on a disk that is gone.

The system ends a process with SIGBUS where it touches such a page. Here (on Linux; elsewhere it still ends) the page becomes
zeros instead, and the map knows that it is broken: whoever has read from it asks before using what was read.
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import sys
import weakref
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

SA_SIGINFO, SI_ADDR = 4, 16  # a flag of sigaction; where in siginfo_t the address stands
ZEROS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10 if sys.platform == "linux" else 0  # MAP_FIXED, which mmap lacks


@dataclass
class Range:
    """The addresses of a map, and whether a page of it has failed."""

    start: int
    end: int
    broken: bool = False


class Mapped:
    """The bytes of an open file, as many as it has now, in `view`. Raises OSError, and ValueError if it has none."""

    def __init__(self, file: BinaryIO) -> None:
        _guard()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = np.frombuffer(mapped, np.uint8).ctypes.data
        self._range = _ranges[start] = Range(start, start + len(mapped))
        weakref.finalize(mapped, _ranges.pop, start)  # when the last part of the view is gone
        self.view = memoryview(mapped)

    @property
    def broken(self) -> bool:
        """Whether zeros stand in the place of a page that could not be read."""
        return self._range.broken


_ranges: dict[int, Range] = {}


class Action(ctypes.Structure):
    """struct sigaction of Linux."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_before = Action()
_installed: list[Any] = []  # the library and the handler, which must not go away


def _guard() -> None:
    """Take care of SIGBUS, once, where the system is one that is known here."""
    if _installed or sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return
    library = ctypes.PyDLL(None)
    library.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    library.mmap.restype = ctypes.c_void_p

    def handle(number: int, info: int, context: int) -> None:
        address = ctypes.c_size_t.from_address(info + SI_ADDR).value
        page = address - address % mmap.PAGESIZE
        for found in list(_ranges.values()):
            if found.start <= address < found.end:
                found.broken = True
                if library.mmap(page, mmap.PAGESIZE, mmap.PROT_READ, ZEROS, -1, 0) == page:
                    return
        library.sigaction(signal.SIGBUS, ctypes.byref(_before), None)  # nothing of ours: it comes again, as ever

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(handle)
    action = Action(ctypes.cast(handler, ctypes.c_void_p).value, flags=SA_SIGINFO)
    _installed.extend((library, handler))
    library.sigaction(signal.SIGBUS, ctypes.byref(action), ctypes.byref(_before))
