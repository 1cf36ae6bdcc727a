"""What scikit-image has, set as its documentation says for noise of a known level."""

from __future__ import annotations

from typing import Any

from n2n_core.evaluation.baselines.baseline import Array

NLM = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
"""The documentation's example, "Non-local means denoising for preserving textures"."""

NLM_H = 0.8
"""Of sigma: ``denoise_nl_means``, notes: "a reasonable starting point", where sigma is given, too."""

TV_WEIGHT = 0.1 / 0.155
"""Of sigma: the documentation's example, "Denoising a picture", takes 0.1 for noise of 0.155.

Chambolle's own rule, to enlarge the weight until the residual has sigma's variance, smooths more and takes
four runs; on two photos it was 0.6 dB better to 1.3 dB worse.
"""


def wavelet(image: Array, sigma: float, threads: int) -> Any:
    """Soft BayesShrink thresholds, of colour pictures in YCbCr.

    Settings: the documentation's example, "Wavelet denoising". Source: Chang, Yu and Vetterli,
    "Adaptive wavelet thresholding for image denoising and compression" (IEEE TIP 2000).
    """
    from skimage.restoration import denoise_wavelet

    how: dict[str, Any] = {"method": "BayesShrink", "mode": "soft", "rescale_sigma": True}
    if image.shape[2] == 1:
        return denoise_wavelet(image[..., 0], sigma, **how)
    return denoise_wavelet(image, sigma, convert2ycbcr=True, channel_axis=-1, **how)


def nlm(image: Array, sigma: float, threads: int) -> Any:
    """The mean of pixels whose surroundings look alike.

    Source: Buades, Coll and Morel, "A non-local algorithm for image denoising" (CVPR 2005); the fast
    variant is Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy" (ISBI 2008).
    """
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(image, h=NLM_H * sigma, sigma=sigma, channel_axis=-1, **NLM)


def tv(image: Array, sigma: float, threads: int) -> Any:
    """The picture of small total variation that is near the noisy one.

    Source: Chambolle, "An algorithm for total variation minimization and applications" (JMIV 2004).
    """
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, TV_WEIGHT * sigma, channel_axis=-1)  # type: ignore[no-untyped-call]
