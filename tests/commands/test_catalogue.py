"""`solver-tools layers`: what it prints, and that the page and the count of cases follow the code and the tests.

    PYTHONPATH=tests python tests/commands/test_catalogue.py

brings docs/layers.md and solver_cli/assets/golden_cases.json up to date.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from golden_layers import FORK_TYPES, cases, registered

from solver_cli.commands import catalogue
from solver_cli.commands.tools import tools
from solver_cli.registry import layer_types

HERE = Path(__file__).parents[1]
PAGE = HERE.parent / "docs" / "layers.md"


def read(path: Path) -> dict[str, dict[str, str]]:
    cases: dict[str, dict[str, str]] = json.loads(path.read_text())
    return cases


def count_cases() -> dict[str, int]:
    """Golden cases of each type: its own file's, and the data cases whose net has it."""
    counts: Counter[str] = Counter()
    for path in (HERE / "golden" / "layers").glob("[A-Z]*.npz"):
        with np.load(path) as file:
            counts[path.stem] += len(json.loads(file["cases"].tobytes()))
    for kind in FORK_TYPES:  # such as forks/SoftmaxWithLoss_segnet
        word = kind.removeprefix("forks/").partition("_")[0]
        named = (name for case in cases(kind).values() for name in dict.fromkeys(registered(case["prototxt"])))
        counts.update(name for name in named if word and name.partition("/")[0] == word and name in layer_types())
    for case in [case for path in sorted(HERE.glob("golden/**/data_layers/cases.json")) for case in read(path).values()]:
        counts.update(set(re.findall(r'type: "([A-Z]\w*)"', case["net"])) & set(layer_types()))
    return dict(sorted(counts.items()))


def page() -> str:
    return "\n".join(catalogue.markdown()) + "\n"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(tools, ["layers", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


REMEDY = "run PYTHONPATH=tests python tests/commands/test_catalogue.py"


def test_the_count_of_cases_is_the_tests():
    assert catalogue.golden_cases() == count_cases(), REMEDY


def test_the_page_is_what_the_command_prints():
    assert PAGE.read_text() == page(), REMEDY
    assert run("--markdown") == page()


def test_the_table_has_every_type_and_fits():
    lines = run().splitlines()
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == list(layer_types())
    assert max(map(len, lines)) <= 120
    (power,) = (line for line in lines if line.startswith("Power "))
    assert re.fullmatch(r"Power +neuron +BVLC +1 +1 +\d+ +top = \(shift \+ scale \* bottom\).*", power)


@pytest.mark.parametrize("kind", layer_types())
def test_a_page_shows_every_field(kind):
    text = run(kind)
    assert max(map(len, text.splitlines())) <= 120
    for name, fields in catalogue.settings(layer_types()[kind]).items():
        assert f"  {name} {{" in text
        for f in fields:
            assert re.search(rf"^    {f.name} +\S", text, re.M)


def test_types_and_defaults():
    text = run("Pooling")
    assert re.search(r"pool +MAX \| AVE \| STOCHASTIC +\[default MAX\]", text)
    assert re.search(r"kernel_size +uint32$", text, re.M)
    assert re.search(r"global_pooling +bool +\[default false\]", text)
    assert "power_param: power=1 scale=1 shift=0" in page()
    assert "weight_filler{}" in page() and "coeff[]" in page()


def test_an_unknown_type():
    result = CliRunner().invoke(tools, ["layers", "Poling"])
    assert result.exit_code == 1
    assert result.output.strip().endswith("unknown layer type 'Poling' (did you mean 'Pooling'?)")


if __name__ == "__main__":
    catalogue.CASES.write_text(json.dumps(count_cases(), indent=1) + "\n")
    PAGE.write_text(page())
    sys.exit(0)
