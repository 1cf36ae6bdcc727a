"""Run a whole picture through the network at once, without a server, for comparison."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

from benchmarks.memory import peak
from benchmarks.serving.peers import network
from benchmarks.serving.pictures import png


def measure(model: str, side: int, threads: int) -> tuple[float, float]:
    """Return the seconds, and the MiB that it added to the peak memory of a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, model, side, threads).result()


def _run(model: str, side: int, threads: int) -> tuple[float, float]:
    module = network.load(model, threads)
    small, large = png(32), png(side)
    network.denoise_file(module, small)
    before, began = peak(), perf_counter()
    network.denoise_file(module, large)
    return perf_counter() - began, peak() - before
