"""BM3D, where its users have installed it: its licence allows non-commercial use only."""

from __future__ import annotations

from typing import Any

import numpy as np

from n2n_core.evaluation.baselines.baseline import Array

OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]])
"""From red, green and blue to the package's colour space."""

FLAT = 1e-6
"""Range of values below which there is nothing to see."""


def bm3d(image: Array, sigma: float, threads: int) -> Any:
    """Similar blocks are stacked and filtered together; of colour pictures, in an opponent colour space.

    Of colour pictures without colour, such as grey ones in three channels, each channel by itself: the
    package divides by the range of each opponent channel. The settings are the package's own, its
    profile ``np``. Source: Dabov et al., "Image denoising by sparse 3-D transform-domain collaborative
    filtering" (IEEE TIP 2007).
    """
    import bm3d as package

    profile = package.BM3DProfile()
    profile.num_threads = threads
    if image.shape[2] == 3 and (np.ptp(image @ OPPONENT.T, axis=(0, 1)) > FLAT).all():
        return package.bm3d_rgb(image, sigma, profile)
    return np.stack([package.bm3d(channel, sigma, profile) for channel in np.moveaxis(image, 2, 0)], axis=2)
