"""Validation on pictures that were not trained on, with or without clean references.

Two independent noisy shots of a scene are enough. Let ``x`` and ``y`` be the shots of a scene
``s``, with noise of mean zero and variance ``sigma^2``, and ``f`` the model. The noise of ``y`` is
independent of ``f(x)``, so ::

    E |f(x) - y|^2 = E |f(x) - s|^2 + sigma^2        and        E |x - y|^2 / 2 = sigma^2

and the difference of the two is the squared error against the unknown clean scene.
``psnr_estimate`` is its PSNR, pooled over the set, or None if the difference is not positive. Limits:
noise that both shots have in common is not measured; movement or a change of light between the shots
counts as noise; the two shots must be equally noisy; and if the error is far below ``sigma^2``, the
estimate is a small difference of large numbers: about 0.1 dB off at a hundred thousand pixels and an
error of a tenth of ``sigma^2``.

The halves of a single picture do not show the same scene. They differ in detail and in noise, which
cannot be separated, so single pictures have a validation loss only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import fmean

import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import Scenes
from n2n_core.image.rounding import to_bytes
from n2n_core.metrics import psnr
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.training.batches.neighbor2neighbor import NeighborSubsampler
from n2n_core.training.batches.pair_reader import PairReader
from n2n_core.training.config import TrainConfig

SIDE = 256
"""Side in pixels of the window in the middle of each picture that is validated on."""

PIXELS = 2**20
"""Approximate number of pixels to validate on, as many as in the course's thousand pictures."""

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Validation:
    """Held-out pictures, and the targets that the model's outputs are compared with.

    Args:
        noisy: ``(N, 3, H, W)`` floats.
        target: of the same shape, clean or another noisy shot.
        clean: whether targets are clean.
        variance: of the target's noise, or None if it is not known.
        noise_floor: lower bound of the training loss (``mse``), or None if it is not known.
    """

    noisy: Tensor
    target: Tensor
    clean: bool
    variance: float | None = None
    noise_floor: float | None = None

    @classmethod
    def of(cls, pairs: Pairs) -> Validation:
        """Use pairs of noisy and clean, values 0 to 255. Training targets have the same noise."""
        noisy, target = (images.float() / 255 for images in pairs)
        return cls(noisy, target, clean=True, noise_floor=_mse(noisy, target))

    @classmethod
    def drawn(cls, scenes: Scenes, chosen: Sequence[int], config: TrainConfig) -> Validation:
        """Draw windows of the ``chosen`` scenes, with the same positions and noise each time."""
        clean = config.model_copy(update={"targets": "clean", "target_copies": 1})
        reader, generator = PairReader(scenes, clean), Generator().manual_seed(0)
        windows = reader.windows(SIDE)
        height, width = (min(scenes.shape(scene)[axis] for scene in chosen) for axis in (1, 2))
        windows = reader.windows(min(SIDE, max(1, min(height, width) // windows.block)))
        pairs = []
        for scene in _spread(chosen, PIXELS // windows.crop**2):
            _, height, width = scenes.shape(scene)
            pairs.append(reader.draw(scene, windows.middle(height), windows.middle(width), generator))
        noisy, target = (torch.stack(images) for images in zip(*pairs, strict=True))
        if reader.copies:
            return cls(*reader.copies(noisy, generator), clean=True)
        if scenes.kind == "single":
            return cls(*NeighborSubsampler.draw(noisy, generator)(noisy), clean=False)
        variance, training = _mse(noisy, target) / 2, PairReader(scenes, config)
        shares = [1 / training.averaged(scene) for scene in chosen]  # of the variance, in a target
        return cls(noisy, target, clean=False, variance=variance, noise_floor=variance * fmean(shares))

    def before(self) -> Metrics:
        """Return the metrics of the noisy pictures."""
        if self.clean:
            found = mean_psnr(to_bytes(self.noisy), to_bytes(self.target))
            return {"noisy_psnr": finite(found.per_image), "noisy_psnr_pooled": finite(found.pooled)}
        return {} if self.variance is None else {"noisy_psnr_estimate": decibels(self.variance)}

    def after(self, outputs: Tensor) -> Metrics:
        """Return the metrics of a model's ``outputs``, rounded to 8 bits like a saved file."""
        image = to_bytes(outputs)
        if self.clean:
            found = mean_psnr(image, to_bytes(self.target))
            return {"psnr": finite(found.per_image), "psnr_pooled": finite(found.pooled)}
        loss = _mse(image.float() / 255, self.target)
        if self.variance is None:
            return {"validation_loss": loss}
        return {"validation_loss": loss, "psnr_estimate": decibels(loss - self.variance)}


def score(metrics: Metrics) -> float:
    """Return the score that the best epoch is chosen by, higher is better: PSNR, or the negative loss.

    ``psnr_estimate`` would order epochs as the loss does, but it can be None.
    """
    if "psnr" in metrics:
        value = metrics["psnr"]
        return inf if value is None else value
    loss = metrics["validation_loss"]
    assert loss is not None
    return -loss


def headline(metrics: Metrics) -> float | None:
    """Return the PSNR in dB, or its estimate without clean references, or None if neither is known."""
    return metrics.get("psnr", metrics.get("psnr_estimate"))


def decibels(error: float) -> float | None:
    """Return the PSNR for a mean squared error of pictures in [0, 1], or None unless it is above 0."""
    return psnr.decibels(error, data_range=1) if error > 0 else None


def finite(value: float) -> float | None:
    """Return ``value``, or None if it is infinite: JSON has no infinity."""
    return value if isfinite(value) else None


def _mse(first: Tensor, second: Tensor) -> float:
    return (first.double() - second.double()).pow(2).mean().item()


def _spread(chosen: Sequence[int], count: int) -> list[int]:
    """Return at most ``count`` of the ``chosen``, evenly spread, at least one."""
    count = min(max(count, 1), len(chosen))
    return [chosen[i * len(chosen) // count] for i in range(count)]
