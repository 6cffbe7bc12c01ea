"""`solver-tools python`: a script that says `import caffe`, run with this package under that name."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

from solver_cli import log
from solver_cli.pycaffe import mode, standin
from solver_cli.text.user_code import user_traceback


def run(args: Sequence[str], *, module: str = "", code: str = "", ours: bool = False) -> int:
    """Run a script (the first of `args`), else a `module` or a line of `code`, as `python` would; the exit code.

    `import caffe` gives another Caffe if one can be imported and `ours` does not forbid it; a log line says which.
    """
    mode.init_log()
    script = "" if module or code else args[0]
    sys.argv = ["-c", *args] if code else [module or "", *args] if module else list(args)
    sys.path[0] = os.path.dirname(os.path.abspath(script)) if script else ""  # noqa: PTH100, PTH120 - as Python does it
    if ours:
        standin.install()
        log.info(standin.SITE, "import caffe gives solver_cli.pycaffe: --ours")
    else:
        standin.settle()
    try:
        if code:
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        elif module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(script, run_name="__main__")
    except Exception as error:
        sys.stderr.write(user_traceback(error))
        return 1
    return 0
