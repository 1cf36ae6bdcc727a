"""OpenCV's fast non-local means, on 8-bit pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from n2n_core.evaluation.baselines.baseline import Array

PATCH, SEARCH = 7, 21
"""Sides in pixels, the "recommended value" in the documentation of ``fastNlMeansDenoising``."""

H = 0.9
"""Filter strength in units of sigma. OpenCV gives no advice. For non-local means that do not use the variance
of the noise, as here, scikit-image says "sigma or slightly less"."""

LUMINANCE = (0.299**2 + 0.587**2 + 0.114**2) ** 0.5
"""Factor between independent noise in R, G and B and the noise in their weighted sum."""


def fast_nlm(image: Array, sigma: float, threads: int) -> Any:
    """Non-local means; for colour pictures in CIELAB, luminance and colour separately.

    Source: Buades, Coll and Morel, "Non-local means denoising" (IPOL 2011), which OpenCV refers to.
    """
    import cv2

    cv2.setNumThreads(threads)
    pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    h = H * sigma * 255
    if pixels.shape[2] == 1:
        return cv2.fastNlMeansDenoising(pixels[..., 0], None, h, PATCH, SEARCH) / np.float32(255)
    h *= LUMINANCE
    blue_first = np.ascontiguousarray(pixels[..., ::-1])
    output = cv2.fastNlMeansDenoisingColored(blue_first, None, h, h, PATCH, SEARCH)
    return output[..., ::-1] / np.float32(255)
