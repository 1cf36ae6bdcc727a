"""How good a model is on pictures that it was not trained on, with clean references or without.

Two independent noisy shots of a scene are enough. Let ``x`` and ``y`` be the shots of a scene
``s``, with noise of mean zero and variance ``sigma^2``, and ``f`` the model. The noise of ``y`` is
independent of ``f(x)``, so ::

    E |f(x) - y|^2 = E |f(x) - s|^2 + sigma^2        and        E |x - y|^2 / 2 = sigma^2

and the difference of the two is the squared error against the clean scene that nobody has seen.
``psnr_estimate`` is its PSNR, pooled over the set. It has limits: noise of one mean over both shots
is not seen; movement or a change of light between the shots counts as noise; the two shots must be
equally noisy; and where the error is far below ``sigma^2``, the estimate is a small difference of
large figures: about 0.1 dB off at a hundred thousand pixels and an error of a tenth of ``sigma^2``.
It is None where that difference is not positive.

The halves of a single picture do not show the same scene: what they differ in, detail and noise,
cannot be told apart, so there is a validation loss alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, log10
from statistics import fmean

import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import Scenes
from n2n_core.metrics.batch import psnr, to_bytes
from n2n_core.training.batches.neighbor2neighbor import Neighbours
from n2n_core.training.batches.sampling import Views
from n2n_core.training.config import TrainConfig

SIDE = 256
"""Side in pixels of what is seen of a picture: the window in its middle."""

PIXELS = 2**20
"""About how many pixels are validated on, those of the course's thousand pictures."""

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Validation:
    """Held-out pictures, and what the model's outputs are compared with.

    Args:
        noisy: ``(N, 3, H, W)`` floats.
        target: of the same shape, clean or another noisy shot.
        clean: whether targets are clean.
        variance: of the target's noise, where it is known.
        noise_floor: what the training loss (``mse``) cannot fall below, where it is known.
    """

    noisy: Tensor
    target: Tensor
    clean: bool
    variance: float | None = None
    noise_floor: float | None = None

    @classmethod
    def of(cls, pairs: Pairs) -> Validation:
        """Noisy pictures and clean ones, values 0 to 255; training targets are as noisy as these."""
        noisy, target = (images.float() / 255 for images in pairs)
        return cls(noisy, target, clean=True, noise_floor=_mse(noisy, target))

    @classmethod
    def drawn(cls, scenes: Scenes, chosen: Sequence[int], config: TrainConfig) -> Validation:
        """Windows of the ``chosen`` scenes, the same and with the same noise each time."""
        views, generator = (
            Views(scenes, config.model_copy(update={"targets": "clean", "target_copies": 1})),
            Generator(),
        )
        generator.manual_seed(0)
        windows = views.windows(SIDE)
        height, width = (min(scenes.shape(scene)[axis] for scene in chosen) for axis in (1, 2))
        windows = views.windows(min(SIDE, max(1, min(height, width) // windows.block)))
        pairs = []
        for scene in _spread(chosen, PIXELS // windows.crop**2):
            _, height, width = scenes.shape(scene)
            pairs.append(views.draw(scene, windows.middle(height), windows.middle(width), generator))
        noisy, target = (torch.stack(images) for images in zip(*pairs, strict=True))
        if views.copies:
            return cls(*views.copies(noisy, generator), clean=True)
        if scenes.kind == "single":
            return cls(*Neighbours.draw(noisy, generator)(noisy), clean=False)
        variance, learnt = _mse(noisy, target) / 2, Views(scenes, config)
        shares = [1 / learnt.averaged(scene) for scene in chosen]  # of the variance, in a target
        return cls(noisy, target, clean=False, variance=variance, noise_floor=variance * fmean(shares))

    def before(self) -> Metrics:
        """The noisy pictures' own figures."""
        if self.clean:
            found = psnr(to_bytes(self.noisy), to_bytes(self.target))
            return {"noisy_psnr": finite(found.per_image), "noisy_psnr_pooled": finite(found.pooled)}
        return {} if self.variance is None else {"noisy_psnr_estimate": decibels(self.variance)}

    def after(self, outputs: Tensor) -> Metrics:
        """The figures of a model's ``outputs``, taken as a saved file of 8 bits would hold them."""
        image = to_bytes(outputs)
        if self.clean:
            found = psnr(image, to_bytes(self.target))
            return {"psnr": finite(found.per_image), "psnr_pooled": finite(found.pooled)}
        loss = _mse(image.float() / 255, self.target)
        if self.variance is None:
            return {"validation_loss": loss}
        return {"validation_loss": loss, "psnr_estimate": decibels(loss - self.variance)}


def score(metrics: Metrics) -> float:
    """The figure that the best epoch is chosen by, more is better: PSNR, or the loss without its sign.

    ``psnr_estimate`` orders epochs as the loss does, which also has a value where it has none.
    """
    if "psnr" in metrics:
        value = metrics["psnr"]
        return inf if value is None else value
    loss = metrics["validation_loss"]
    assert loss is not None
    return -loss


def headline(metrics: Metrics) -> float | None:
    """The PSNR in dB, or its estimate where there is nothing clean; None where neither is known."""
    return metrics.get("psnr", metrics.get("psnr_estimate"))


def decibels(error: float) -> float | None:
    """PSNR of a mean squared error of pictures in [0, 1]; None unless it is above 0."""
    return -10 * log10(error) if error > 0 else None


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if isfinite(value) else None


def _mse(first: Tensor, second: Tensor) -> float:
    return (first.double() - second.double()).pow(2).mean().item()


def _spread(chosen: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of them, evenly spread, at least one."""
    count = min(max(count, 1), len(chosen))
    return [chosen[i * len(chosen) // count] for i in range(count)]
