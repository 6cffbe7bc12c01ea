"""Several GPUs in a solver's text: `device_id: [0, 1]`, or device_id more than once, as yjxiong's fork has it."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?P<open>[{<])|(?P<close>[}>])"""
    r"""|(?P<gpus>\bdevice_id\s*:\s*(?:\[\s*(?P<several>\d+(?:\s*,\s*\d+)*)\s*\]|(?P<one>\d+)))"""
)


def taken_out(text: str) -> tuple[str, list[int]]:
    """The text with blanks in place of its device_ids, and these; the text itself and nothing where it names one at most."""
    depth, found, kept, after = 0, [], "", 0
    for match in _TOKEN.finditer(text):
        depth += bool(match["open"]) - bool(match["close"])
        if match["gpus"] and depth == 0:
            found += [int(number) for number in (match["several"] or match["one"]).split(",")]
            kept += text[after : match.start()] + re.sub(r"\S", " ", match["gpus"])
            after = match.end()
    several = len(found) > 1 or (bool(found) and re.search(r"device_id\s*:\s*\[", text))
    return (kept + text[after:], found) if several else (text, [])
