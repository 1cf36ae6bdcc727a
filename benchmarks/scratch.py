"""The scratch framework against torch.nn with autograd: report 2's network, 32x32 pictures.

``python -m benchmarks.scratch`` prints images per second of training steps (SGD) and of
inference for both, and how many times as fast scratch is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.pairing import compare
from n2n_core import scratch

BATCHES = (8, 64)


def torch_network(hidden: int = 100) -> nn.Module:
    """Report 2's network on torch.nn."""
    return nn.Sequential(
        nn.Conv2d(3, hidden, 2, stride=2),
        nn.ReLU(),
        nn.Conv2d(hidden, hidden, 2, stride=2),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(hidden, hidden, 3, padding=1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(hidden, 3, 3, padding=1),
        nn.Sigmoid(),
    )


def scratch_step(images: Tensor) -> Callable[[], object]:
    """One training step of the scratch network."""
    network, loss = scratch.StridedAutoEncoder().build(), scratch.MSE()
    optimizer = scratch.SGD(network.param(), lr=0.1)

    def step() -> None:
        loss(network(images), images)
        optimizer.zero_grad()
        network.backward(loss.backward())
        optimizer.step()

    return step


def torch_step(images: Tensor) -> Callable[[], object]:
    """The same on torch.nn, autograd and torch.optim."""
    network = torch_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def step() -> None:
        loss = nn.functional.mse_loss(network(images), images)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def scratch_inference(images: Tensor) -> Callable[[], object]:
    """One batch through the scratch network."""
    network = scratch.StridedAutoEncoder().build().eval()
    return lambda: network(images)


def torch_inference(images: Tensor) -> Callable[[], object]:
    """The same on torch.nn."""
    network = torch_network().eval()

    def run() -> Tensor:
        with torch.inference_mode():
            output: Tensor = network(images)
        return output

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="measured pairs")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.pairs} pairs; images per second")
    print(f"{'':12}{'batch':>6}{'scratch':>10}{'torch.nn':>10}{'ratio':>8}")
    cases = {"training": (scratch_step, torch_step), "inference": (scratch_inference, torch_inference)}
    for name, (ours, theirs) in cases.items():
        for batch in BATCHES:
            images = torch.rand(batch, 3, 32, 32)
            result = compare(ours(images), theirs(images), options.pairs)
            speeds = f"{batch / result.first:10.0f}{batch / result.second:10.0f}"
            print(f"{name:12}{batch:6}{speeds}{result.ratio:8.2f}")


if __name__ == "__main__":
    main()
