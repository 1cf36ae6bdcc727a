"""Compare the scratch framework with torch.nn and autograd on the same network: speed and memory.

``python -m benchmarks.scratch`` prints pictures per second of training steps (SGD) and of
inference on 32x32 pictures, how many times as fast scratch is (median and quartiles of many
pairs, measured in turns), and the peak memory of training steps, each in a process of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import Tensor, nn

from benchmarks.memory import peak
from benchmarks.pairing import compare
from n2n_core import scratch
from n2n_core.models import architectures

Run = Callable[[], object]


def scratch_step(model: str, images: Tensor) -> Run:
    """Run a training step on the scratch framework."""
    network, loss = architectures.model(model).build(engine="scratch"), scratch.MSE()
    assert isinstance(network, scratch.Module)
    optimizer = scratch.SGD(network.param(), lr=0.1)

    def step() -> None:
        loss(network(images), images)
        optimizer.zero_grad()
        network.backward(loss.backward())
        optimizer.step()

    return step


def torch_step(model: str, images: Tensor, memory_format: torch.memory_format) -> Run:
    """Run a training step with torch.nn, autograd and torch.optim."""
    network, images = torch_network(model, images, memory_format)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def step() -> None:
        loss = nn.functional.mse_loss(network(images), images)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def scratch_inference(model: str, images: Tensor) -> Run:
    """Run a batch through the scratch network."""
    network = architectures.model(model).build(engine="scratch").eval()
    return lambda: network(images)


def torch_inference(model: str, images: Tensor, memory_format: torch.memory_format) -> Run:
    """Run a batch through torch.nn."""
    network, images = torch_network(model, images, memory_format)
    network.eval()

    def run() -> Tensor:
        with torch.inference_mode():
            output: Tensor = network(images)
        return output

    return run


def torch_network(model: str, images: Tensor, memory_format: torch.memory_format) -> tuple[nn.Module, Tensor]:
    """Return the network on torch.nn and the images, in a memory format."""
    network = architectures.model(model).build(engine="torch")
    assert isinstance(network, nn.Module)
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    return network, images.contiguous(memory_format=memory_format)


FORMATS = {"torch.nn": torch.contiguous_format, "channels last": torch.channels_last}
CASES: dict[str, tuple[Callable[..., Run], Callable[..., Run], tuple[int, ...]]] = {
    "training": (scratch_step, torch_step, (8, 64)),
    "inference": (scratch_inference, torch_inference, (1, 8, 32, 64)),
}


def speed(model: str, pairs: int) -> None:
    """Print a line for each batch size and memory format of torch.nn."""
    print(f"{'':10}{'batch':>6}{'scratch':>10}  {'against':14}{'':>8}{'ratio':>7}  quartiles")
    for name, (ours, theirs, batches) in CASES.items():
        for batch in batches:
            images = torch.rand(batch, 3, 32, 32)
            for rival, memory_format in FORMATS.items():
                result = compare(ours(model, images), theirs(model, images, memory_format), pairs)
                speeds = f"{batch / result.first:10.0f}  {rival:14}{batch / result.second:8.0f}"
                spread = f"{result.ratio:7.2f}  {result.lower:.2f} to {result.upper:.2f}"
                print(f"{name:10}{batch:6}{speeds}{spread}", flush=True)


def training_peak(engine: str, model: str, batch: int, threads: int) -> tuple[float, float]:
    """Return the peak memory in MiB after 10 training steps, and the part that the steps added."""
    torch.set_num_threads(threads)
    images = torch.rand(batch, 3, 32, 32)

    def step(images: Tensor) -> Run:
        if engine == "scratch":
            return scratch_step(model, images)
        return torch_step(model, images, torch.contiguous_format)

    step(images[:1])()  # libraries are loaded
    before = peak()
    act = step(images)
    for _ in range(10):
        act()
    return peak(), peak() - before


def memory(model: str, threads: int, batch: int = 64) -> None:
    """Print both engines' peak memory, each measured in a fresh process."""
    print(f"\npeak memory of training at batch {batch}: MiB of the process, and what the steps added")
    for engine in ("scratch", "torch.nn"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            whole, added = pool.submit(training_peak, engine, model, batch, threads).result()
        print(f"{engine:10}{whole:8.0f}{added:8.0f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=architectures.MODELS, default="scratch", help="the network")
    parser.add_argument("--pairs", type=int, default=60, help="measured pairs")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.pairs} pairs, {options.model};")
    print("pictures of 32x32 a second")
    speed(options.model, options.pairs)
    memory(options.model, options.threads)


if __name__ == "__main__":
    main()
