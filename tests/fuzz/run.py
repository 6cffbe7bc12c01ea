"""Coverage-guided fuzzing of every reader, outside CI: `pip install atheris`, then

    python tests/fuzz/run.py [--inputs 200000] [--seconds 1800] [READER ...] | tee benchmarks/results/fuzz.txt

One process a reader, one after the other, at the lowest priority. Inputs that break the rule are left in the folder
`fuzz-found/<reader>`; a small one belongs into tests/golden/fuzz/<reader>/, where the tests read it ever after.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import re
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

ROOM = 512 << 20  # of address space beside what the process has before its first input
LONGEST = {"caffemodel": 1 << 12, "solverstate": 1 << 12, "runstate": 1 << 13}  # bytes of an input; of others 64 KiB


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=1800, help="at most, for one reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child, options)
    from fuzz.readers import READERS

    print(f"{'reader':16}{'inputs':>9}{'seconds':>9}{'coverage':>10}{'features':>10}{'peak MiB':>10}  findings", flush=True)
    for name in options.readers or READERS:
        print(_fuzz(name, options), flush=True)


def _fuzz(name: str, options: Any) -> str:
    """One reader in a process of its own, begun again after a crash; the line of the table."""
    found, inputs, begun, shown = Path("fuzz-found") / name, 0, time.time(), "??"
    found.mkdir(parents=True, exist_ok=True)
    coverage = features = peak = 0
    seed, before = options.seed, len(list(found.iterdir()))
    while inputs < options.inputs and (left := options.seconds - (time.time() - begun)) > 5:
        command = [sys.executable, __file__, "--child", name, "--inputs", str(options.inputs - inputs)]
        command += ["--seconds", str(int(left)), "--seed", str(seed)]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        done = subprocess.run(["nice", "-n", "10", *command], env=env, capture_output=True, check=False)
        shown = done.stderr.decode(errors="replace")
        counts = [int(n) for n in re.findall(r"^#(\d+)\s", shown, re.M)] + [0]
        inputs += max(counts)
        coverage = max([coverage, *(int(n) for n in re.findall(r" cov: (\d+)", shown))])
        features = max([features, *(int(n) for n in re.findall(r" ft: (\d+)", shown))])
        peak = max([peak, *(int(n) for n in re.findall(r" rss: (\d+)Mb", shown))])
        seed += 1
        if done.returncode == 0:
            break
        (found / f"log-{seed}.txt").write_text(shown[-20_000:])
    findings = len([path for path in found.iterdir() if not path.name.startswith("log-")])
    return f"{name:16}{inputs:9}{time.time() - begun:9.0f}{coverage:10}{features:10}{peak:10}  {findings - before or 'none'}"


def child(name: str, options: Any) -> None:
    """Fuzz one reader: every input that breaks the rule is written down, and the fuzzing goes on."""
    import atheris

    with atheris.instrument_imports(include=["solver_cli", "google.protobuf"], enable_loader_override=False):
        from fuzz import mutate, readers

    import torch

    logging.getLogger("solver_cli").setLevel(logging.CRITICAL)
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    reader, found = readers.READERS[name], Path("fuzz-found") / name
    longest = LONGEST.get(name, 1 << 16)
    seeds = [seed for seed in reader.seeds() if len(seed) <= longest]
    seen: set[tuple[str, str]] = set()
    faulthandler.dump_traceback_later(options.seconds + 60, exit=True)  # where it hangs, if it does

    def one(content: bytes) -> None:
        begun = time.process_time()
        try:
            readers.attempt(reader, content)
        except Exception as error:
            _keep(found, content, error, seen)
        if time.process_time() - begun > 2:
            _keep(found, content, TimeoutError(), seen)

    def change(content: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if name in ("net", "solver") and random.random() < 0.2:
            return mutate.text(random, name == "solver")[:most]
        if name == "lmdb" and random.random() < 0.7:
            return mutate.pages(content, random)[:most]
        if random.random() < 0.3:
            return bytes(atheris.Mutate(content, most))
        return mutate.mutate(content, seeds, random, reader.text, most)

    corpus = found.parent / f".corpus-{name}"
    corpus.mkdir(exist_ok=True)
    for i, seed in enumerate(seeds):
        (corpus / f"seed-{i}").write_bytes(seed)
    one(seeds[0])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    flags = [f"-runs={options.inputs}", f"-max_total_time={options.seconds}", f"-max_len={longest}", f"-seed={options.seed}"]
    flags += ["-timeout=20", "-rss_limit_mb=0", "-len_control=0", f"-artifact_prefix={found}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one, custom_mutator=change, internal_libfuzzer=True)
    atheris.Fuzz()


def _keep(found: Path, content: bytes, error: Exception, seen: set[tuple[str, str]]) -> None:
    """Write an input down, one for each kind and place of error."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "solver_cli" in file:
            place = f"{Path(file).stem}-{trace.tb_lineno}"
        trace = trace.tb_next
    kind = (type(error).__name__, place)
    if kind not in seen:
        seen.add(kind)
        (found / "-".join(kind)).write_bytes(content)
        print(f"FOUND {kind} {error}"[:500], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
