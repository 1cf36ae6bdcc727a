"""A classical denoiser, which is given the noise level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from n2n_core.errors import ConfigError, ShapeError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Baseline:
    """A classical denoiser of a third-party library.

    Args:
        title: method and library.
        run: maps ``(H, W, C)`` float32 in [0, 1], a noise level above 0, and a number of threads to the
            denoised picture. Some libraries ignore the number of threads.
        modules: modules that it imports.
        install: how to install them.
    """

    title: str
    run: Callable[[Array, float, int], NDArray[np.floating]]
    modules: tuple[str, ...]
    install: str

    def missing(self) -> list[str]:
        """Return the modules that are not installed."""
        return [name for name in self.modules if find_spec(name) is None]

    def __call__(self, image: Array, sigma: float, threads: int = 1) -> Array:
        """Denoise ``(C, H, W)`` in [0, 1], C 3 or 1 (grey); same shape, float32.

        Args:
            image: the noisy picture.
            sigma: standard deviation of the noise, in the picture's units; 0 returns the picture unchanged.
            threads: most CPU threads to use.

        Raises:
            ShapeError: the image does not have three axes or 1 or 3 channels, or is empty.
            ConfigError: sigma is negative or not finite.
        """
        if image.ndim != 3 or image.shape[0] not in (1, 3) or not image.size:
            raise ShapeError("Baseline", "the image's shape", image.shape, "(3 or 1, H, W)")
        if not (isfinite(sigma) and sigma >= 0):
            raise ConfigError(f"sigma is {sigma}, expected a number of at least 0")
        if sigma == 0:
            return image.astype(np.float32)
        last = np.ascontiguousarray(image.transpose(1, 2, 0), np.float32)
        output = self.run(last, float(sigma), threads).reshape(last.shape)
        return np.ascontiguousarray(output.transpose(2, 0, 1), np.float32)
