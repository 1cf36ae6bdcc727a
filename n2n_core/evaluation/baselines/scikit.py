"""Denoisers of scikit-image, with the settings that its documentation advises for a known noise level."""

from __future__ import annotations

from typing import Any

from n2n_core.evaluation.baselines.baseline import Array

NLM = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
"""Parameters of scikit-image's example "Non-local means denoising for preserving textures"."""

NLM_H = 0.8
"""Filter strength ``h`` in units of sigma: "a reasonable starting point" (notes of ``denoise_nl_means``)."""

TV_WEIGHT = 0.1 / 0.155
"""Weight in units of sigma: scikit-image's example "Denoising a picture" uses 0.1 for sigma 0.155.

Chambolle's rule increases the weight until the residual has the variance of the noise. It smooths more and
needs four runs; on two photos it was between 0.6 dB better and 1.3 dB worse.
"""


def wavelet(image: Array, sigma: float, threads: int) -> Any:
    """Wavelet shrinkage with soft BayesShrink thresholds; colour pictures in YCbCr.

    Settings: the documentation's example, "Wavelet denoising". Source: Chang, Yu and Vetterli,
    "Adaptive wavelet thresholding for image denoising and compression" (IEEE TIP 2000).
    """
    from skimage.restoration import denoise_wavelet

    how: dict[str, Any] = {"method": "BayesShrink", "mode": "soft", "rescale_sigma": True}
    if image.shape[2] == 1:
        return denoise_wavelet(image[..., 0], sigma, **how)
    return denoise_wavelet(image, sigma, convert2ycbcr=True, channel_axis=-1, **how)


def nlm(image: Array, sigma: float, threads: int) -> Any:
    """Non-local means: average pixels whose neighbourhoods are similar.

    Source: Buades, Coll and Morel, "A non-local algorithm for image denoising" (CVPR 2005); the fast
    variant is Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy" (ISBI 2008).
    """
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(image, h=NLM_H * sigma, sigma=sigma, channel_axis=-1, **NLM)


def tv(image: Array, sigma: float, threads: int) -> Any:
    """Find a picture of small total variation close to the noisy one.

    Source: Chambolle, "An algorithm for total variation minimization and applications" (JMIV 2004).
    """
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, TV_WEIGHT * sigma, channel_axis=-1)  # type: ignore[no-untyped-call]
