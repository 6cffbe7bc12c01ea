"""`solver-tools upgrade`: a file of any Caffe generation in today's form, as Caffe's four upgrade tools do it."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from solver_cli import files, log
from solver_cli.caffe_pb2 import NetParameter, SolverParameter
from solver_cli.errors import ConfigError, SnapshotError, Where
from solver_cli.formats.atomic import atomic_write
from solver_cli.text import prototxt
from solver_cli.text.upgrade import net_needs_upgrade, solver_needs_upgrade, upgrade_net, upgrade_solver


def upgrade_file(source: str, target: str) -> bool:
    """Write the net, solver or weights file `source` in today's form to `target`; text stays text, binary stays binary.

    False where something could not be upgraded; it is logged, and the rest is written all the same. Raises Error.
    """
    message, place, text = _read(source)
    form, ok = "text" if text else "binary", True
    try:
        if isinstance(message, SolverParameter):
            needed, kind = solver_needs_upgrade(message), "SolverParameter"
            if needed:
                ok = upgrade_solver(message, source)
        else:
            needed, kind = net_needs_upgrade(message), "NetParameter"
            if needed:
                ok = upgrade_net(message, source, place)
    except ConfigError as error:
        error.where = error.where or place.where(source, error.field)
        raise
    except UnicodeDecodeError as error:
        raise SnapshotError(f"a text in it is not UTF-8 ({error.object!r}): damaged?", Where(source)) from None
    tool = f"upgrade_{kind[:-9].lower()}_proto_{form}.cpp"
    if not needed:
        log.error(f"{tool}:43", f"File already in latest proto format: {source}")
    if not ok:
        log.error(f"{tool}:39", "Encountered error(s) while upgrading prototxt; see details above.")
    with atomic_write(target) as out:  # partial: a fork's message under BVLC's number may lack what BVLC's requires
        out.write(prototxt.to_text(message).encode() if text else message.SerializePartialToString())
    log.info(f"{tool}:49", f"Wrote upgraded {kind} {form} proto to {target}")
    return ok


def _read(source: str) -> tuple[NetParameter | SolverParameter, prototxt.Place, bool]:
    """The file's message, the places of its fields, and whether it is text. What fits neither a net nor a solver is told
    by the parser that got further."""
    try:
        raw = files.read(source)
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", Where(source)) from None
    if b"\0" in raw or source.endswith((".caffemodel", ".binaryproto")):
        return _binary(raw, source), prototxt.Place(), False
    errors: list[ConfigError] = []
    kinds: tuple[type[NetParameter | SolverParameter], ...] = (NetParameter, SolverParameter)
    for kind in kinds:
        try:
            return *prototxt.read(source, kind, "net or solver"), True
        except ConfigError as error:
            errors.append(error)
    raise max(errors, key=lambda error: (error.where.line, error.where.column) if error.where else (0, 0))


def _binary(raw: bytes, source: str) -> NetParameter:
    message = NetParameter()
    try:
        message.ParseFromString(raw)
    except DecodeError:
        raise SnapshotError("not a binary NetParameter: cut short, damaged, or something else", Where(source)) from None
    return message
