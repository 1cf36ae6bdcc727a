"""Compare our code path for CUDA with plain torch.nn: the same network in float32, the whole batch at once.

For each shipped model, ``python -m benchmarks.cuda`` prints the pictures of 32x32 per second by batch size,
and the seconds for a picture of 1024x1024, including the copies from and to the host's memory.
"""

from __future__ import annotations

import argparse
import sys

import torch
from torch import Tensor

from benchmarks.pairing import Comparison, compare
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights

BATCHES = (1, 8, 64)
SIDE = 1024


def against_plain(model: str, images: Tensor, pairs: int) -> Comparison:
    """Measure our seconds for ``(N, 3, H, W)`` images on the CPU first, then torch.nn's."""
    path = weights.find(model).path
    network, denoiser = weights.load(path, "torch")[0].to("cuda"), Denoiser.load(path, "cuda")

    def plain() -> Tensor:
        with torch.inference_mode():
            output: Tensor = network(images.to("cuda"))
            return output.cpu()

    def ours() -> Tensor:
        return denoiser.run(images) if images.shape[-1] < SIDE else denoiser(images).cpu()

    return compare(ours, plain, pairs)


def row(name: str, ours: str, plain: str, result: Comparison) -> None:
    """Print one case."""
    spread = f"{result.ratio:7.2f}  {result.lower:.2f} to {result.upper:.2f}"
    print(f"{name:28}{ours:>12}{plain:>12}{spread}", flush=True)


def main() -> int:
    """Print a table for each model; 2 if there is no CUDA device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="measured pairs")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("benchmarks.cuda needs a CUDA device, and torch finds none", file=sys.stderr)
        return 2
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}, {options.pairs} pairs")
    for model in sorted(weights.read_index()):
        print(f"\n{model:28}{'ours':>12}{'torch.nn':>12}{'ratio':>7}  quartiles")
        for batch in BATCHES:
            result = against_plain(model, torch.rand(batch, 3, 32, 32), options.pairs)
            ours, plain = (f"{batch / seconds:.0f}" for seconds in (result.first, result.second))
            row(f"pictures a second, batch {batch}", ours, plain, result)
        result = against_plain(model, torch.rand(1, 3, SIDE, SIDE), options.pairs)
        row(f"seconds, {SIDE} x {SIDE}", f"{result.first:.4f}", f"{result.second:.4f}", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
