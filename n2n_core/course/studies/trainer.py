"""Train or resume one run of a study, and measure it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from n2n_core.course.studies import results
from n2n_core.course.studies.results import Record
from n2n_core.course.studies.study import StudyRun
from n2n_core.datasets.pairs import Pairs
from n2n_core.device import pick_device
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.self_ensemble import self_ensemble
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.training import loop
from n2n_core.training.run_folder import event_log
from n2n_core.training.run_folder.event_log import Event

RUNS = "runs"
"""Name of the folder in a study's folder that contains the runs."""


class StudyData(NamedTuple):
    """Training and validation data of a study.

    Args:
        train: pairs of noisy images.
        validation: pairs of a noisy and a clean image.
        clean: the inputs of ``train`` with clean targets, if available.
        card: description of the data, stored with the model.
    """

    train: Pairs
    validation: Pairs
    clean: Pairs | None
    card: dict[str, Any]


def run_folder(folder: Path, run: StudyRun, seed: int) -> Path:
    """Return the folder of a run, given the study's ``folder``."""
    return folder / RUNS / f"{re.sub('[^a-z0-9]+', '-', run.label.lower())}-{seed}"


@dataclass(frozen=True)
class RunTrainer:
    """Trains the runs of a study. The fields are what all runs share."""

    data: StudyData
    folder: Path
    scale: float
    device: str

    def __call__(
        self, run: StudyRun, seed: int, on_event: Callable[[Event], None], should_stop: Callable[[], bool]
    ) -> Record | None:
        """Train ``run``, from its checkpoint if it has one. Return its result, or None if it was stopped."""
        home = run_folder(self.folder, run, seed)
        source = self.data.clean if run.clean and self.data.clean is not None else self.data.train
        pairs = source.take(run.pairs(self.scale))
        complete = loop.fit(
            run.config.model_copy(update={"seed": seed}),
            pairs,
            self.data.validation,
            home,
            resume=(home / loop.CHECKPOINT).exists(),
            device=self.device,
            data_card=self.data.card,
            on_event=on_event,
            should_stop=should_stop,
            architecture=run.architecture,
        )
        if not complete:
            return None
        record = results.record(run, seed, event_log.read(home), pick_device(self.device))
        ensemble = self._ensemble(home / loop.MODEL) if run.ensemble else {}
        return record | {"pairs": len(pairs.input)} | ensemble

    def _ensemble(self, model: Path) -> dict[str, float]:
        """Measure the model's 8-fold self-ensemble."""
        noisy, clean = self.data.validation
        outputs = self_ensemble(Denoiser.load(model, self.device), noisy.float() / 255).image
        found = mean_psnr(to_bytes(outputs).cpu(), clean)
        return {"ensemble_psnr": found.per_image, "ensemble_psnr_pooled": found.pooled}
