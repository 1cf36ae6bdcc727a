"""Draw the report's pictures: noisy, denoised by each run's model, and clean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from n2n_core.course.studies.study import Study
from n2n_core.course.studies.trainer import run_folder
from n2n_core.datasets.pairs import Pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.metrics.psnr import psnr
from n2n_core.training import loop

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 6


def draw(study: Study, validation: Pairs, folder: Path, device: str = "auto") -> Figure:
    """Draw ``ROWS`` validation pictures, each in a row, denoised by the models of the runs in ``folder``."""
    from matplotlib.figure import Figure

    noisy, clean = (images[:ROWS] for images in validation)
    columns = {"noisy": noisy}
    for run in study.runs:
        denoiser = Denoiser.load(run_folder(folder, run, 0) / loop.MODEL, device)
        columns[run.label] = to_bytes(denoiser(noisy.float() / 255)).cpu()
    columns["clean"] = clean
    figure = Figure(figsize=(1.5 * len(columns), 1.5 * len(clean)), dpi=120, layout="constrained")
    grid = figure.subplots(len(clean), len(columns), squeeze=False)
    for axes, (name, images) in zip(grid.T, columns.items(), strict=True):
        axes[0].set_title(name, fontsize=10)
        for axis, image, reference in zip(axes, images, clean, strict=True):
            axis.imshow(image.permute(1, 2, 0).numpy(), interpolation="nearest")
            axis.set(xticks=[], yticks=[], xlabel=_decibels(image, reference))
            axis.xaxis.label.set_size(8)
    figure.suptitle(study.title, fontsize=10)
    return figure


def _decibels(image: Tensor, clean: Tensor) -> str:
    if image.equal(clean):
        return ""
    return f"{psnr(image, clean):.2f} dB"
