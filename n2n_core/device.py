"""Where tensors live. torch is imported when it is asked, so that who only hands on questions has none."""

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
"""Lets torch's threads sleep while they wait for each other, at every operation's end; OpenMP reads it
as torch is loaded. By default they try again and again for milliseconds: where two processes do so,
each keeps the cores that the other one's threads need, and a network takes a hundred times as long."""


def let_threads_sleep() -> None:
    """``ASLEEP`` for this process, if torch is not loaded yet, and those that it starts; users may differ."""
    for name, value in ASLEEP.items():
        os.environ.setdefault(name, value)


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU; other names are torch's own."""
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
    """Devices by a list such as ``cuda:0,cuda:1``; ``auto`` is every CUDA device, or the CPU.

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
    """Run the block on so many CPU threads: on small tensors, several cost more than they save."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def set_threads(threads: int) -> None:
    """Set how many CPU threads one operation of torch uses."""
    import torch

    if not 1 <= threads <= MAX_THREADS:
        raise ConfigError(f"threads is {threads}, expected 1 to {MAX_THREADS}")
    torch.set_num_threads(threads)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of a GPU or the machine: torch's CPU allocator has no class for it."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)
