"""Whatever bytes a reader is given: it succeeds or raises one error of one line, in bounded time and memory.

Mutated golden files, a few of each in every run; the inputs that broke the rule once (golden/fuzz); and the worst ones for
memory. The long runs are those of fuzz/run.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from fuzz import mutate
from fuzz.readers import FOUND, READERS, attempt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INPUTS = {"net": 150, "solver": 150, "runstate": 60, "caffemodel_h5": 60, "solverstate_h5": 60, "hdf5_data": 60}  # else 200
QUICK = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck], max_examples=200, print_blob=False
)
MIB = 1 << 20


@pytest.mark.parametrize("name", READERS)
def test_golden_files_are_read(name: str) -> None:
    errors = [attempt(READERS[name], seed) for seed in READERS[name].seeds()[:60]]
    assert not all(errors), "no seed is read: the fuzzing would stay at the door"


@pytest.mark.parametrize("name", READERS)
def test_mutated_golden_files(name: str) -> None:
    reader = READERS[name]
    seeds = [seed for seed in reader.seeds() if len(seed) < 30_000]

    @settings(QUICK, max_examples=INPUTS.get(name, 200))
    @given(st.sampled_from(seeds), st.randoms(use_true_random=False))
    def check(seed: bytes, random: Random) -> None:
        attempt(reader, mutate.mutate(seed, seeds, random, reader.text))

    check()


@pytest.mark.parametrize("name", ["net", "solver"])
def test_texts_by_the_grammar(name: str) -> None:
    @settings(QUICK, max_examples=200)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        attempt(READERS[name], mutate.text(random, name == "solver"))

    check()


@pytest.mark.parametrize("name", READERS)
def test_any_bytes(name: str) -> None:
    @settings(QUICK, max_examples=30)
    @given(st.binary(max_size=200))
    def check(content: bytes) -> None:
        attempt(READERS[name], content)

    check()


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_inputs_that_broke_the_rule(path: Path) -> None:
    attempt(READERS[path.parent.name], path.read_bytes())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure memory")
def test_worst_inputs_stay_within_memory_and_time() -> None:
    """64 MiB and 16 bytes for each byte of the input; 2 s of processor time."""
    program = Path(__file__).parent / "fuzz" / "worst.py"
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 100
    for reader, name, size, seconds, memory, _ in lines:
        assert memory < 64 * MIB + 16 * size, f"{reader}: {name}: {memory / MIB:.0f} MiB for {size} bytes"
        assert seconds < 2, f"{reader}: {name}: {seconds} s"
