"""The devices of this machine: which of them a command means, and what there is to say of each."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from solver_cli import log
from solver_cli.data.pool import processors
from solver_cli.errors import ConfigError, DeviceError

REPORT = (  # what `caffe device_query` tells of a GPU, in its words and order, as far as torch knows
    ("Major revision number:", "major"),
    ("Minor revision number:", "minor"),
    ("Name:", "name"),
    ("Total global memory:", "total_memory"),
    ("Total shared memory per block:", "shared_memory_per_block"),
    ("Warp size:", "warp_size"),
    ("Clock rate:", "clock_rate"),
    ("Number of multiprocessors:", "multi_processor_count"),
)
SITE = "common.cpp"


def gpu_numbers(gpu: str) -> list[int]:
    """The GPUs that `--gpu` names, `all` for those there are. Raises ConfigError."""
    if gpu == "all":
        return list(range(torch.cuda.device_count()))
    try:
        found = [int(part) for part in gpu.split(",")]
    except ValueError:
        raise ConfigError(f"--gpu {gpu}: expected numbers separated by commas, or all") from None
    if min(found) < 0:
        raise ConfigError(f"--gpu {gpu}: a GPU's number is 0 or more")
    if len(set(found)) < len(found):
        raise ConfigError(f"--gpu {gpu}: names a GPU twice")
    return found


def one_device(gpu: str | None, gpu_site: str, cpu_site: str) -> torch.device:
    """The device for a net alone: the CPU, or the first GPU that `gpu` names; logged as Caffe's tool does. Raises Error."""
    if not gpu:
        log.info(cpu_site, "Use CPU.")
        return torch.device("cpu")
    found = gpu_numbers(gpu) or [0]
    check_there(gpu, found[0])
    if len(found) > 1:
        log.info(gpu_site, f"--gpu {gpu}: one net runs on one GPU, which is the first")
    log.info(gpu_site, f"Use GPU with device ID {found[0]}")
    log.info(gpu_site, f"GPU device name: {torch.cuda.get_device_name(found[0])}")
    return torch.device("cuda", found[0])


def check_there(gpu: str, number: int) -> None:
    """Raise DeviceError unless this machine has a GPU of this number."""
    if number >= torch.cuda.device_count():
        raise DeviceError(f"--gpu {gpu}: there is no GPU {number}: this machine has {torch.cuda.device_count()}")


def report(gpu: str) -> None:
    """Log what `caffe device_query` does of the GPUs that `gpu` names ("": of none). Raises Error."""
    log.info("caffe.cpp:138", f"Querying GPUs {gpu}")
    found = gpu_numbers(gpu) if gpu else []
    for number in found:
        check_there(gpu, number)
        properties = torch.cuda.get_device_properties(number)
        log.info(SITE, f"{'Device id:':<31}{number}")
        for words, name in REPORT:
            if (value := getattr(properties, name, None)) is not None:
                log.info(SITE, f"{words:<31}{value}")
    if not found:
        log.info("caffe.cpp:138", "-gpu all asks for every GPU" if not gpu else _none())


def describe() -> Iterator[str]:
    """Lines on every GPU, or that there is none; the CPU; torch."""
    count = torch.cuda.device_count()
    for number in range(count):
        properties = torch.cuda.get_device_properties(number)
        capability = f"{properties.major}.{properties.minor}"
        free, total = torch.cuda.mem_get_info(number)
        yield (
            f"GPU {number}: {properties.name}, {_gibi(total)} ({_gibi(free)} free), compute capability {capability}, "
            f"{properties.multi_processor_count} multiprocessors"
        )
    if not count:
        yield _none()
    memory = f", {_gibi(total)}" if (total := _memory()) else ""
    yield f"CPU: {_processor()}, {processors()} cores for this process{memory}; torch uses {torch.get_num_threads()} threads"
    cuda = torch.version.cuda
    cudnn = torch.backends.cudnn.version() if cuda else None  # type: ignore[no-untyped-call]
    built = f"built for CUDA {cuda}{f', cuDNN {cudnn}' if cudnn else ''}" if cuda else "built without CUDA"
    yield f"torch {torch.__version__}, {built}"


def _none() -> str:
    """Why there is no GPU."""
    if torch.version.cuda is None:
        return "no GPU: torch is built without CUDA, so everything runs on the CPU (pytorch.org says which build has it)"
    return "no GPU: none that CUDA can use, so everything runs on the CPU (nvidia-smi tells whether the driver sees one)"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    """Bytes of memory that the machine has, 0 where that cannot be found out."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def _gibi(value: int) -> str:
    return f"{value / 2**30:.1f} GiB"
