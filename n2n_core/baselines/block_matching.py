"""BM3D, where its users have installed it: its licence allows non-commercial use only."""

from __future__ import annotations

from typing import Any

from n2n_core.baselines.baseline import Array


def bm3d(image: Array, sigma: float, threads: int) -> Any:
    """Similar blocks are stacked and filtered together; of colour pictures, in an opponent colour space.

    The settings are the package's own, its profile ``np``. Source: Dabov et al., "Image denoising by
    sparse 3-D transform-domain collaborative filtering" (IEEE TIP 2007).
    """
    import bm3d as package

    profile = package.BM3DProfile()
    profile.num_threads = threads
    run = package.bm3d if image.shape[2] == 1 else package.bm3d_rgb
    return run(image[..., 0] if image.shape[2] == 1 else image, sigma, profile)
