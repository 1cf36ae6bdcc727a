"""Compare the speed of the architectures with that of ``torch``, on the CPU.

``python -m benchmarks.models`` prints the time of both on the same pictures for each architecture and case,
and the median and quartiles of the ratio; both run in turns. Weights do not affect the speed, so they are
random.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from torch import Generator

from benchmarks.pairing import Comparison, compare
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import architectures

BASE = "torch"


class Case(NamedTuple):
    """Number of pictures that are denoised at once, and their side."""

    pictures: int
    side: int


CASES = (Case(1, 32), Case(32, 32), Case(1, 256), Case(1, 1024))


def against_base(model: str, case: Case, pairs: int) -> Comparison:
    """Measure the seconds of ``model`` and ``BASE``, and their ratio."""
    pictures = torch.rand(case.pictures, 3, case.side, case.side, generator=Generator().manual_seed(0))
    ours, base = (Denoiser(architectures.model(name).build(), "cpu") for name in (model, BASE))
    return compare(lambda: ours(pictures), lambda: base(pictures), pairs)


def main() -> None:
    """Print a line for each model and case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, help="measured pairs")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.pairs} pairs; milliseconds")
    print(f"{'model':10}{'pictures':>12}{'its':>10}{BASE:>10}{'faster':>8}  quartiles")
    for model in architectures.MODELS:
        for case in CASES if model != BASE else ():
            found = against_base(model, case, options.pairs)
            pictures = f"{case.pictures} x {case.side} px"
            times = f"{found.first * 1e3:10.1f}{found.second * 1e3:10.1f}"
            print(
                f"{model:10}{pictures:>12}{times}{found.ratio:8.2f}  {found.lower:.2f} to {found.upper:.2f}"
            )


if __name__ == "__main__":
    main()
