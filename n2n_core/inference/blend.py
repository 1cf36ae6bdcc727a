"""Strength: how much of the network's result replaces the noisy picture."""

from __future__ import annotations

from dataclasses import replace

from n2n_core.errors import ConfigError
from n2n_core.image import Pixels
from n2n_core.inference.step import Outputs, Step
from n2n_core.inference.tiling import Images


def check_strength(strength: float) -> float:
    """Return ``strength``.

    Raises:
        ConfigError: it is not from 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is {strength}, expected 0 to 1")
    return strength


def blend(noisy: Images, denoised: Images, strength: float) -> Images:
    """Return ``noisy + strength (denoised - noisy)``: at 0 and 1 exactly one of the two.

    Raises:
        ConfigError: the strength is not from 0 to 1.
    """
    if check_strength(strength) == 1:
        return denoised
    return noisy + strength * (denoised - noisy)


class Blend(Step):
    """Blend the noisy picture with the result.

    Raises:
        ConfigError: the strength is not from 0 to 1.
    """

    slow_after = True

    def __init__(self, strength: float) -> None:
        self.strength = check_strength(strength)

    def before(self, images: list[Pixels]) -> list[Pixels]:
        """Keep the noisy picture."""
        (self.noisy,) = images
        return images

    def after(self, outputs: Outputs) -> Outputs:
        """Blend it with the result. The spread stays that of the network's results."""
        (denoised,) = outputs.images
        return replace(outputs, images=[blend(self.noisy, denoised, self.strength)])
