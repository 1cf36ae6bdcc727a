"""Denoising in part."""

from __future__ import annotations

from n2n_core.errors import ConfigError
from n2n_core.inference.tiling import Images


def check_strength(strength: float) -> float:
    """``strength``, if it is one.

    Raises:
        ConfigError: it is not from 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is {strength}, expected 0 to 1")
    return strength


def blend(noisy: Images, denoised: Images, strength: float) -> Images:
    """``noisy + strength (denoised - noisy)``: 0 is the picture as it was, 1 the model's, to the bit.

    Raises:
        ConfigError: the strength is not from 0 to 1.
    """
    if check_strength(strength) == 1:
        return denoised
    return noisy + strength * (denoised - noisy)
