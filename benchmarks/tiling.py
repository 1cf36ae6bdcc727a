"""Measure time and memory for one large picture by tile side.

``python -m benchmarks.tiling`` runs each shipped model on a random picture, with a new process for each tile
side, so that the peak memory is that of this side.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from time import perf_counter

import torch

from benchmarks.memory import peak
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights

WINDOWS = (32, 64, 128, 256, 512)
BATCH_PIXELS = 4 * 128**2


def measure(model: str, side: int, window: int, repeats: int, threads: int) -> tuple[float, float]:
    """Return the median seconds of ``repeats`` runs, and by how many MiB they raised the peak memory."""
    torch.set_num_threads(threads)
    network, _, _ = weights.load(weights.find(model).path)
    denoiser = Denoiser(network, "cpu", window, max(BATCH_PIXELS, window**2))
    denoiser(torch.rand(1, 3, 64, 64))
    picture, before, times = torch.rand(1, 3, side, side), peak(), []
    for _ in range(repeats):
        began = perf_counter()
        denoiser(picture)
        times.append(perf_counter() - began)
    return median(times), peak() - before


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024, help="height and width of the picture")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each case")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {options.threads} threads, {options.side} x {options.side} pixels")
    print(f"{'model':10}{'window':>8}{'seconds':>10}{'MiB':>8}")
    for model in sorted(weights.read_index()):
        for window in (*WINDOWS, options.side):
            arguments = (model, options.side, window, options.repeats, options.threads)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                seconds, memory = pool.submit(measure, *arguments).result()
            name = "whole" if window == options.side else str(window)
            print(f"{model:10}{name:>8}{seconds:10.2f}{memory:8.0f}")


if __name__ == "__main__":
    main()
