"""Devices and CPU threads. torch is imported inside the functions, so importing this module is cheap."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from n2n_core.errors import ConfigError

if TYPE_CHECKING:
    import torch

MAX_THREADS = 1024

ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Makes torch's threads sleep while they wait for each other at the end of each operation. OpenMP reads it
when torch is loaded. By default the threads spin for milliseconds; if two processes do that, each occupies
the cores that the other needs, and a network takes a hundred times as long."""


def let_threads_sleep() -> None:
    """Set ``ASLEEP`` for this process, if torch is not loaded yet, and its children; users' settings win."""
    for name, value in ASLEEP.items():
        os.environ.setdefault(name, value)


def pick_device(name: str = "auto") -> torch.device:
    """Return a device by name: ``auto`` is CUDA if there is one, else the CPU.

    Raises:
        ConfigError: torch does not know the device, or cannot use it.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()  # on "meta" there would be no value
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise ConfigError(f"device is {name!r}, expected auto, cpu or cuda ({reason})") from error
    return device


def device_names(text: str = "auto") -> list[str]:
    """Split a list such as ``cuda:0,cuda:1``; ``auto`` is every CUDA device, or the CPU.

    >>> device_names("cpu")
    ['cpu']
    """
    import torch

    if text == "auto" and torch.cuda.is_available():
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    names = [name.strip() for name in ("cpu" if text == "auto" else text).split(",")]
    for name in names:
        pick_device(name)
    return names


@contextmanager
def limit_threads(count: int = 1) -> Iterator[None]:
    """Limit torch to ``count`` CPU threads in the block: for small tensors, more cost more than they save."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def set_threads(threads: int) -> None:
    """Set the number of CPU threads that torch uses for one operation."""
    import torch

    if not 1 <= threads <= MAX_THREADS:
        raise ConfigError(f"threads is {threads}, expected 1 to {MAX_THREADS}")
    torch.set_num_threads(threads)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether GPU or main memory ran out. torch's CPU allocator has no exception class for it."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)
