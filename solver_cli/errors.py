"""What can go wrong, as exceptions whose text is the one line that the user sees.

    Error                a line: `file:line:column: layer 'x' (Type): what, expected, remedy`
      ConfigError        a solver or net text, or settings that do not go together
      DataError          a data source: database, record, HDF5 file, image, list, mean file
      SnapshotError      weights, solver states, snapshots: their files and what is in them
      NumericalError     a loss, weight or blob that has become NaN or infinite
      DeviceError        a GPU that was asked for and is not there
      OutOfMemory        a run that takes more memory than there is
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 2000  # characters of an error's line
NEAR = 0.75  # likeness from which a name may be meant


@dataclass(frozen=True)
class Where:
    """A place in a text file: `file:line:column`, lines and columns counted from 1; a column may be unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + f":{self.column}" * bool(self.column) if self.line else self.file


class Error(Exception):
    """An error that the user can act on.

    `where` is its place; whoever raises it without one may name the offending `field` (dotted, from the layer or the
    solver on, such as `convolution_param.kernel_size`), from which the place is found further up. `told`: another process
    tells the user of it.
    """

    told = False

    def __init__(self, message: str, where: Where | None = None, field: str | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.field = field

    def __str__(self) -> str:
        return one_line(f"{self.where}: {self.message}" if self.where else self.message)


class ConfigError(Error):
    """A solver or net that cannot be read, built or run as it is written."""


class DataError(Error):
    """A data source that is missing, broken, or does not hold what the net expects."""


class SnapshotError(Error):
    """A weights file, solver state or snapshot that cannot be read, written or used here."""


class NumericalError(Error):
    """A number that has become NaN or infinite."""


class DeviceError(Error):
    """A device that was asked for and cannot be had."""


class OutOfMemory(Error):
    """A run that takes more memory than there is."""


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, oneDNN, numpy, OpenCV or Python say that memory could not be had."""
    said = ("out of memory", "can't allocate memory", "std::bad_alloc", "STATUS_ALLOC_FAILED", "could not create a memory",
            "can't start new thread")  # fmt: skip
    text = str(error)
    short = any(words in text for words in said) or text.endswith(("not create a primitive", "not execute a primitive"))
    opencv = type(error).__module__ == "cv2" and "Insufficient memory" in text
    return isinstance(error, MemoryError) or opencv or (isinstance(error, RuntimeError) and short)


def one_line(text: str) -> str:
    """The text with control characters, which names in broken files may hold, as escapes, and not without end."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'Slice'?)` for the known name that is nearest to `name`, or nothing."""
    if len(name) > 100:
        return ""
    words = _words(name)
    likeness, best = max(((_likeness(words, _words(k)), k) for k in known if len(k) <= 100), default=(0.0, ""))
    return f" (did you mean '{best}'?)" if likeness >= NEAR else ""


def _words(name: str) -> list[str]:
    """The words of a name, `conv_param` or `ROIPooling`, but the one that most names of settings share."""
    words = re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().strip("_").split("_")
    return words[:-1] if len(words) > 1 and words[-1] in ("param", "params", "parm") else words


def _likeness(found: list[str], known: list[str]) -> float:
    """From 0 to 1; 0 where a word is another one, or one more: `roi_pooling` is no slip for `pooling`."""
    if set(found) > set(known):
        return 0.0
    pairs = zip(found, known, strict=True) if len(found) == len(known) else ()
    if any(_share(a, b) < 0.5 for a, b in pairs):
        return 0.0
    one, other = "".join(found), "".join(known)
    shortened = len(one) > 2 and other.startswith(one)  # Conv, pool_param
    swapped = sorted(one) == sorted(other)
    return max(_share(one, other), NEAR + 0.1 * len(one) / len(other) if shortened or swapped else 0.0)


def _share(a: str, b: str) -> float:
    """What part of the letters of both stand in the same order."""
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()
