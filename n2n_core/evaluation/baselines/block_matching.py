"""BM3D. Users install it themselves, as its licence allows non-commercial use only."""

from __future__ import annotations

from typing import Any

import numpy as np

from n2n_core.evaluation.baselines.baseline import Array

OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]])
"""Matrix from RGB to the package's opponent colour space."""

FLAT = 1e-6
"""A channel with a smaller range of values counts as constant."""


def bm3d(image: Array, sigma: float, threads: int) -> Any:
    """Stack similar blocks and filter them together; colour pictures in an opponent colour space.

    If a colour picture has no colour, such as grey in three channels, each is denoised separately: the
    package divides by the range of each opponent channel. The settings are the package's default profile,
    ``np``. Source: Dabov et al., "Image denoising by sparse 3-D transform-domain collaborative
    filtering" (IEEE TIP 2007).
    """
    import bm3d as package

    profile = package.BM3DProfile()
    profile.num_threads = threads
    if image.shape[2] == 3 and (np.ptp(image @ OPPONENT.T, axis=(0, 1)) > FLAT).all():
        return package.bm3d_rgb(image, sigma, profile)
    return np.stack([package.bm3d(channel, sigma, profile) for channel in np.moveaxis(image, 2, 0)], axis=2)
