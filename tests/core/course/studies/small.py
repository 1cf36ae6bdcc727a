"""A study that takes a second, and its data."""

from pathlib import Path
from typing import Any

import torch
from torch import Generator

from n2n_core.course.studies import PlotKind, Study, StudyData, StudyRun, conduct
from n2n_core.course.studies.results import Record
from n2n_core.datasets.pairs import Pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.models.architectures import AutoEncoder, StridedAutoEncoder
from n2n_core.training.config import TrainConfig

CONFIG = TrainConfig(epochs=2, batch_size=8, schedule="constant", augment=False, swap=False)
SCALE = 0.0004
"""20 pairs."""

RUNS = (
    StudyRun("first", CONFIG, AutoEncoder((4, 3), skip=False), x=1, report=24.5, seconds=12.0, ensemble=True),
    StudyRun("second", CONFIG, StridedAutoEncoder(hidden=4), share=0.5, repeats=2, x=2, series="others"),
    StudyRun("clean", CONFIG, AutoEncoder((4, 3), skip=False), clean=True, x=3),
)
STUDY = Study("a small study", "It says little.", RUNS, PlotKind.POINTS, axis="size", points=((1, 24.5),))


def data(count: int = 20, clean: bool = True) -> StudyData:
    """Pictures of one colour each, with Gaussian noise."""
    generator = Generator().manual_seed(0)
    colours = (torch.rand(count + 6, 3, 1, 1, generator=generator) * 0.6 + 0.2).expand(-1, 3, 8, 8)
    first, second = (
        to_bytes(colours + 0.1 * torch.randn(colours.shape, generator=generator)) for _ in range(2)
    )
    truth = to_bytes(colours)
    pairs, targets = Pairs(first[:count], second[:count]), Pairs(first[:count], truth[:count])
    return StudyData(pairs, Pairs(first[count:], truth[count:]), targets if clean else None, {"photos": 3})


def conducted(folder: Path, study: Study = STUDY, **options: Any) -> bool:
    return conduct(study, data(), folder, **{"scale": SCALE, "device": "cpu", **options})


def record(run: str, psnr: float, seed: int = 0, epochs: int = 2) -> Record:
    """A result, as the engine would keep it."""
    history = [
        {"epoch": epoch, "loss": 0.1 / epoch, "psnr": psnr - epochs + epoch, "psnr_pooled": psnr - 1}
        for epoch in range(1, epochs + 1)
    ]
    return {
        "run": run, "seed": seed, "scale": 0.01, "precision": "float32", "config": {"precision": "float32"},
        "parameters": 1234, "pairs": 500, "seconds": 10.0 + 2 * seed,
        "psnr": psnr, "psnr_pooled": psnr - 1, "noisy_psnr": 21.0, "noisy_psnr_pooled": 20.0,
        "ensemble_psnr": psnr + 0.25, "ensemble_psnr_pooled": psnr - 0.75, "history": history,
        "versions": {"n2n": "0.1.0", "torch": "2.13.0", "python": "3.12.1"},
        "machine": {"device": "cpu", "name": "Abacus 1", "threads": 2},
    }  # fmt: skip
