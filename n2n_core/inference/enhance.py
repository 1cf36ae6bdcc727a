"""Denoise a whole picture: the steps on both sides of the network.

``Enhancement`` calls ``before`` of each step from the first to the last, the caller runs the network on the
images that come out, and ``after`` of each step is called on the results, from the last step to the first.
``Denoiser.enhance``, ``n2n denoise`` and the service share these steps, so they give the same pixels. Nothing
here imports torch: the service runs the network in another process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from n2n_core.image import Picture, Pixels
from n2n_core.inference.blend import Blend
from n2n_core.inference.contrast_stretch import ContrastStretch
from n2n_core.inference.self_ensemble import SelfEnsemble
from n2n_core.inference.step import Outputs, Step


@dataclass(frozen=True)
class Enhanced:
    """A denoised picture.

    Args:
        picture: the result; depth, transparency and metadata are those of the noisy picture.
        spread: standard deviation of the self-ensemble's eight results, mean over channels, ``(1, H, W)``;
            None without a self-ensemble.
        stretch: gain of the contrast stretch; None if the contrast was not stretched.
    """

    picture: Picture
    spread: Pixels | None = None
    stretch: float | None = None


class GreyAsColour(Step):
    """Give the network three equal channels, and average the three that it returns."""

    def before(self, images: list[Pixels]) -> list[Pixels]:
        """Expand ``(1, H, W)`` to ``(3, H, W)``, without a copy."""
        return [np.broadcast_to(image, (3, *image.shape[1:])) for image in images]

    def after(self, outputs: Outputs) -> Outputs:
        """Reduce ``(3, H, W)`` to ``(1, H, W)``."""
        return replace(outputs, images=(image.mean(0, keepdims=True) for image in outputs.images))


class Enhancement:
    """The steps for one picture.

    Args:
        picture: the noisy picture.
        is_blind: whether the model was trained on noise of any level, see ``Card.is_blind``.
        strength: 0 gives the noisy picture, 1 the network's result.
        self_ensemble: whether to average over the eight flips and rotations.

    Raises:
        ConfigError: the strength is not from 0 to 1.
    """

    def __init__(
        self, picture: Picture, is_blind: bool, strength: float = 1.0, self_ensemble: bool = False
    ) -> None:
        self.picture, self.is_deep = picture, picture.bits > 8
        steps: list[tuple[Step, bool]] = [
            (Blend(strength), strength != 1),
            (ContrastStretch(), is_blind and self.is_deep),
            (SelfEnsemble(), self_ensemble),
            (GreyAsColour(), len(picture.colour) == 1),
        ]
        self.steps = [step for step, is_needed in steps if is_needed]
        self.slow_before = any(step.slow_before for step in self.steps)
        self.slow_after = any(step.slow_after for step in self.steps)

    def before(self) -> list[Pixels]:
        """Return the images to run the network on, ``(3, H, W)`` each, in [0, 1].

        If ``is_deep``, the network must compute in full precision.
        """
        images = [self.picture.colour]
        for step in self.steps:
            images = step.before(images)
        return images

    def after(self, results: Iterable[Pixels]) -> Enhanced:
        """Return the denoised picture, from the network's results for the images of ``before``, in order."""
        outputs = Outputs(results)
        for step in reversed(self.steps):
            outputs = step.after(outputs)
        (colour,) = outputs.images
        return Enhanced(self.picture.with_colour(colour), outputs.spread, outputs.stretch)
