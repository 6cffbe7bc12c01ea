"""`solver-tools python`: a script written for pycaffe."""

from __future__ import annotations

import sys

import click

from solver_cli.commands.options import HELP, Command, files

EXAMPLES = """
solver-tools python train.py --lr 0.1
solver-tools python -c "import caffe; print(caffe.layer_type_list())"
"""
PASSED_ON = {**HELP, "ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("python", cls=Command, examples=EXAMPLES, context_settings=PASSED_ON)
@click.option("--ours", is_flag=True, help="Do so even where another caffe can be imported.")
@click.option("-m", "module", metavar="MODULE", default="", help="Run a module instead of a script.")
@click.option("-c", "code", metavar="CODE", default="", help="Run a line of Python instead of a script.")
@click.argument(
    "script", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...", shell_complete=lambda _, __, typed: files(typed)
)
def command(ours: bool, module: str, code: str, script: tuple[str, ...]) -> None:
    """Run the Python script SCRIPT, whose `import caffe` gives pycaffe's interface over this program."""
    if not (script or module or code):
        raise click.UsageError("give a script, -m MODULE or -c CODE")
    from solver_cli.pycaffe.script import run

    sys.exit(run(script, module=module, code=code, ours=ours))
