"""Compare training on our engines with the report's plain loop: images per second, in turns.

The plain loop is the same network on torch.nn, contiguous memory, eager autograd, no compilation,
with the report's optimiser: Adam for ``torch``, SGD for ``scratch``. ``python -m benchmarks.training``
prints the ratios, median and quartiles, on the CPU and, where there is one, on CUDA.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.pairing import compare
from n2n_core.models import architectures
from n2n_core.training.config import TrainConfig
from n2n_core.training.engines import make_engine

Run = Callable[[], Tensor]
"""Training step that returns its loss."""

BATCHES = (8, 64)


@dataclass(frozen=True)
class Recipe:
    """The report's recipe of a model."""

    optimizer: str
    lr: float


RECIPES = {"torch": Recipe("adam", 1e-3), "scratch": Recipe("sgd", 0.1)}
WAYS = (("torch", "float32"), ("torch", "bfloat16"), ("scratch", "float32"))
"""Models, and the precisions in which they are trained. The plain loop uses float32."""


def ours(model: str, noisy: Tensor, target: Tensor, precision: str = "float32") -> Run:
    """Return our training step, on the model's own engine."""
    recipe, network = RECIPES[model], architectures.model(model).build()
    config = TrainConfig(model=model, optimizer=recipe.optimizer, precision=precision)
    engine = make_engine(network, config, noisy.device)
    return finished(lambda: engine.step(noisy, target, recipe.lr), noisy.device)


def plain(model: str, noisy: Tensor, target: Tensor) -> Run:
    """Return the step of the report's loop."""
    recipe, network = RECIPES[model], architectures.model(model).build(engine="torch")
    assert isinstance(network, nn.Module)
    network.to(noisy.device)
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.SGD
    optimizer = kind(network.parameters(), lr=recipe.lr)

    def step() -> Tensor:
        loss = nn.functional.mse_loss(network(noisy), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    return finished(step, noisy.device)


def finished(step: Run, device: torch.device) -> Run:
    """Return ``step``, changed to wait until the device has finished it."""
    if device.type != "cuda":
        return step

    def run() -> Tensor:
        loss = step()
        torch.cuda.synchronize(device)
        return loss

    return run


def table(device: torch.device, pairs: int) -> None:
    """Print a line for each model, precision and batch size."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"\n{name:18}{'batch':>6}{'ours':>10}{'plain':>10}{'ratio':>7}  quartiles")
    for model, precision in WAYS:
        for batch in BATCHES:
            noisy, target = torch.rand(2, batch, 3, 32, 32, device=device)
            result = compare(ours(model, noisy, target, precision), plain(model, noisy, target), pairs)
            speeds = f"{batch / result.first:10.0f}{batch / result.second:10.0f}"
            spread = f"{result.ratio:7.2f}  {result.lower:.2f} to {result.upper:.2f}"
            print(f"{model + ' ' + precision:18}{batch:6}{speeds}{spread}", flush=True)


def main() -> None:
    """Print a table for each device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="measured pairs")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.pairs} pairs; images a second")
    table(torch.device("cpu"), options.pairs)
    if torch.cuda.is_available():
        table(torch.device("cuda"), options.pairs)


if __name__ == "__main__":
    main()
