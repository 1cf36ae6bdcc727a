"""Measure how much a training job slows down denoising: ``python -m benchmarks.serving.fair_use``.

One service, with its defaults. Load of several kinds is measured while nothing trains and while a
job does, in turns, so that both see the same machine; the medians over the turns are compared.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from torch import Generator

from benchmarks.serving.client import HOST
from benchmarks.serving.load import Load, measure
from benchmarks.serving.pictures import png
from benchmarks.serving.servers import OURS, Running, running
from benchmarks.serving.table import Table
from n2n_client import Client
from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.models import architectures

CASES = ((32, 1), (32, 8), (256, 1))
COLUMNS = {"model": 8, "side": 4, "conns": 5, "p50 ms alone": 12, "training": 8, "ratio": 6, "p99 alone": 9,
           "training ": 9}  # fmt: skip
PAIRS, SIDE = 200, 64
ENDLESS = 10**6


def add_dataset(client: Client) -> str:
    """Upload a dataset of noisy pairs of one colour each, and return its id."""
    generator = Generator().manual_seed(0)
    clean = torch.rand(PAIRS, 3, 1, 1, generator=generator).expand(-1, -1, SIDE, SIDE)
    shots = [to_bytes(clean + 0.1 * torch.randn(clean.shape, generator=generator)) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.pkl"
        save_pairs(path, Pairs(*shots))
        return client.upload_dataset([path], "pairs", "pairs").id


@contextmanager
def training(client: Client, dataset: str, model: str) -> Iterator[None]:
    """Train a job within the block."""
    job = client.submit(dataset, model=model, epochs=ENDLESS, force=True)
    while not (job.state == "running" and job.progress.step):
        job = client.job(job.id, wait=5)
        if job.done:
            raise RuntimeError(f"the job is {job.state}: {job.error}")
    yield
    client.cancel(job.id)
    while not job.done:
        job = client.job(job.id, wait=5)


def compare(server: Running, client: Client, dataset: str, options: argparse.Namespace, table: Table) -> None:
    """Measure in turns, with and without the job, and return a row for each case."""
    alone, beside = ({case: list[tuple[float, float]]() for case in CASES} for _ in range(2))

    def round_into(found: dict[tuple[int, int], list[tuple[float, float]]]) -> None:
        for side, connections in CASES:
            result = measure(server, Load(side, connections, options.seconds), png(side))
            found[side, connections].append((result.p50, result.p99))

    for _ in range(options.turns):
        round_into(alone)
        with training(client, dataset, options.trained):
            round_into(beside)
    for case in CASES:
        (p50, p99), (p50_beside, p99_beside) = (
            [median(values) for values in zip(*found[case], strict=True)] for found in (alone, beside)
        )
        table.row(server.model, *case, p50, p50_beside, p50_beside / p50, p99, p99_beside)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.fair_use", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=architectures.MODELS, default=["torch", "scratch"])
    parser.add_argument(
        "--trained", choices=architectures.MODELS, default="torch", help="model that the job trains"
    )
    parser.add_argument("--seconds", type=float, default=5, help="seconds of load for each case")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of one inference")
    options = parser.parse_args()
    print(
        f"torch {torch.__version__}, {options.threads} threads, {options.turns} turns of {options.seconds} s"
    )
    table = Table(COLUMNS, left=1)
    for model in options.models:
        with (
            running(OURS, model, options.threads, png(32)) as server,
            Client(f"http://{HOST}:{server.port}") as client,
        ):
            compare(server, client, add_dataset(client), options, table)


if __name__ == "__main__":
    main()
