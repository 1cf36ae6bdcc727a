"""Compare ``noise_level`` and three older estimators with known noise levels.

``python -m benchmarks.noise_level FOLDER`` adds Gaussian noise to the folder's pictures, and prints the mean
and the largest error in grey levels, and milliseconds per picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from n2n_core import image
from n2n_core.noise.estimation import Array, noise_level

SIGMAS = (0, 5, 10, 15, 25, 50)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None]
KINDS = ("floats", "8 bits", "shot")
"""Kinds of noise: exact; rounded and clipped as in a file; with a variance proportional to brightness."""

PATCH, PATCHES = 8, 20_000


def laplacian(picture: Array) -> float:
    """Immerkaer, "Fast noise variance estimation" (1996)."""
    lines = picture[:, :-2] - 2 * picture[:, 1:-1] + picture[:, 2:]
    values = lines[..., :-2] - 2 * lines[..., 1:-1] + lines[..., 2:]
    levels = np.sqrt(np.pi / 2) / 6 * np.abs(values).mean((1, 2))
    return float(np.sqrt(np.square(levels).mean()))


def median(picture: Array) -> float:
    """Donoho and Johnstone (1994): the median of a wavelet's finest diagonal coefficients."""
    even = picture[:, : picture.shape[1] // 2 * 2, : picture.shape[2] // 2 * 2]
    lines = even[:, ::2] - even[:, 1::2]
    levels = np.median(np.abs(lines[..., ::2] - lines[..., 1::2]) / 2, axis=(1, 2)) / 0.6745
    return float(np.sqrt(np.square(levels).mean()))


def components(picture: Array) -> float:
    """Chen et al., "An efficient statistical method for image noise level estimation" (ICCV 2015)."""
    return float(np.sqrt(np.mean([_tail(channel) for channel in picture])))


def _tail(channel: Array) -> float:
    """Return the mean variance of the smallest principal components, as many as have it as median."""
    windows = np.lib.stride_tricks.sliding_window_view(channel, (PATCH, PATCH))
    step = int(np.ceil(np.sqrt(windows.shape[0] * windows.shape[1] / PATCHES)))
    patches = windows[::step, ::step].reshape(-1, PATCH**2)
    variances = np.linalg.eigvalsh(np.cov(patches, rowvar=False))[::-1]
    tails = (variances[first:] for first in range(len(variances)))
    return max(0.0, next(float(tail.mean()) for tail in tails if tail.mean() <= np.median(tail)))


ESTIMATES: dict[str, Callable[[Array], float]] = {
    "ours": noise_level, "Laplacian": laplacian, "median": median, "components": components,
}  # fmt: skip


def noisy(clean: Array, sigma: float, kind: str, rng: np.random.Generator) -> tuple[Array, float]:
    """Add Gaussian noise of ``sigma`` grey levels; returns the result and its level."""
    deviation = sigma * np.sqrt(2 * clean) if kind == "shot" else np.full_like(clean, sigma)
    values = clean * 255 + deviation * rng.standard_normal(clean.shape)
    if kind == "8 bits":
        values = values.round().clip(0, 255)
    return (values / 255).astype(np.float32), float(np.sqrt(np.square(deviation).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crop", type=int, help="of every picture, only so many pixels square")
    options = parser.parse_args()
    files = sorted(options.folder.glob("*.png"))
    clean = [image.decode(path.read_bytes()).colour[:, : options.crop, : options.crop] for path in files]
    grey = [(LUMA * picture).sum(0, keepdims=True) for picture in clean]
    print(f"{len(clean)} pictures; mean error / worst error, in grey levels; ms a picture")
    print(f"{'':12}{'':8}{'sigma':>6}" + "".join(f"{name:>24}" for name in ESTIMATES))
    for colours, pictures in {"colour": clean, "grey": grey}.items():
        for kind in KINDS:
            for sigma in SIGMAS:
                rng = np.random.default_rng(0)
                inputs = [noisy(picture, sigma, kind, rng) for picture in pictures]
                cells = "".join(_cell(estimate, inputs) for estimate in ESTIMATES.values())
                print(f"{colours:12}{kind:8}{sigma:6}{cells}", flush=True)


def _cell(estimate: Callable[[Array], float], inputs: list[tuple[Array, float]]) -> str:
    began = perf_counter()
    errors = np.array([255 * estimate(picture) - level for picture, level in inputs])
    milliseconds = (perf_counter() - began) / len(inputs) * 1000
    return f"{errors.mean():+9.2f} /{np.abs(errors).max():6.2f}{milliseconds:7.1f}"


if __name__ == "__main__":
    main()
