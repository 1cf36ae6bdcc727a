"""Noise measurements in pictures ``(C, H, W)``, from two shots of a scene or from one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Pair = tuple[Picture, Picture]

MAD_TO_SIGMA = 0.6745
"""Median of the absolute value of a normal variable, in standard deviations."""

BLOCK = 8
"""Side in pixels of the blocks among which flat ones are searched."""

FLATTEST = 0.25
"""Fraction of the blocks that count as flat."""


def pair_sigma(pairs: Iterable[Pair]) -> float:
    """Return the noise sigma of one shot: the deviation of the difference, without its mean, over sqrt(2)."""
    differences = [centred(a - b) for a, b in pairs]
    total = sum(float(np.square(d, dtype=np.float64).sum()) for d in differences)
    return float(np.sqrt(total / sum(d.size for d in differences) / 2))


def centred(picture: Picture) -> Picture:
    """Subtract the mean of each channel."""
    result: Picture = picture - picture.mean(axis=(1, 2), keepdims=True)
    return result


def lag_correlation(fields: Sequence[Picture]) -> tuple[float, float]:
    """Return the correlation of zero-mean fields with the neighbour to the right, and with the one below.

    Both are 0 for white noise.
    """
    energy = sum(float(np.square(f, dtype=np.float64).mean()) for f in fields)
    if not energy:
        return 0.0, 0.0
    right = sum(float((f[..., 1:].astype(np.float64) * f[..., :-1]).mean()) for f in fields)
    below = sum(float((f[:, 1:].astype(np.float64) * f[:, :-1]).mean()) for f in fields)
    return right / energy, below / energy


class Line(NamedTuple):
    """The noise model ``variance = gain * brightness + read``, and the range in which it was measured."""

    gain: float
    read: float
    darkest: float
    brightest: float

    def sigma(self, brightness: float) -> float:
        """Return the noise sigma at ``brightness``."""
        return float(max(self.gain * brightness + self.read, 0) ** 0.5)


def variance_line(pairs: Sequence[Pair], bins: int = 24) -> Line:
    """Fit the noise variance as a linear function of brightness, over bins with equally many pixels.

    Brightness is the mean of both shots over 5 x 5 pixels, so that its noise hardly blurs the bins.
    """
    means, variances = [], []
    for a, b in pairs:
        window = min(5, *a.shape[1:])
        smooth = sliding_window_view((a + b) / 2, (window, window), axis=(1, 2)).mean(axis=(-2, -1))
        margin = (window - 1) // 2
        rows, columns = (slice(margin, margin + size) for size in smooth.shape[1:])
        means.append(smooth.ravel())
        variances.append(np.square(centred(a - b)[:, rows, columns]).ravel() / 2)
    x, y = np.concatenate(means), np.concatenate(variances)
    groups = np.array_split(np.argsort(x, kind="stable"), min(bins, len(x)))
    level = np.array([x[group].mean(dtype=np.float64) for group in groups])
    variance = np.array([y[group].mean(dtype=np.float64) for group in groups])
    if np.ptp(level) < 1e-6:
        return Line(0.0, float(variance.mean()), float(level[0]), float(level[-1]))
    weight = 1 / np.maximum(variance, variance.mean() / 10 + 1e-12)  # its error is proportional to it
    gain, read = np.polyfit(level, variance, 1, w=weight)
    return Line(float(gain), float(read), float(level[0]), float(level[-1]))


def blind_sigma(pictures: Iterable[Picture]) -> float:
    """Estimate the noise sigma of single pictures by the median absolute diagonal Haar coefficient.

    Only the flattest blocks count. The estimate is right for white noise. It is too high for pictures with
    texture everywhere, and too low for noise that is correlated between neighbours.

    Source: Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage (1994), restricted to flat
    blocks.
    """
    details = [_details(p)[_flat(p)] for p in pictures if min(p.shape[1:]) >= BLOCK]
    values = np.abs(np.concatenate(details)) if details else np.zeros((0, 1, 1))
    values = values[values.max(axis=(1, 2)) > 0]  # saturated blocks have no noise to measure
    return float(np.median(values)) / MAD_TO_SIGMA if values.size else 0.0


def shot_correlation(pairs: Iterable[Pair]) -> float:
    """Return the correlation of the noise of two shots in flat blocks. It is 0 for independent noise."""
    products = np.zeros(3)
    for a, b in pairs:
        if min(a.shape[1:]) < BLOCK:
            continue
        flat = _flat(a + b)  # judged by means of 4 x 4 pixels, of which the coefficients are independent
        first, second = _details(a)[flat], _details(b)[flat]
        products += [(first * second).sum(), (first**2).sum(), (second**2).sum()]
    scale = float(np.sqrt(products[1] * products[2]))
    return float(products[0]) / scale if scale else 0.0


def flat_residuals(pictures: Iterable[Picture], side: int = 16, share: float = 0.05) -> list[Picture]:
    """Return the flattest blocks of all pictures, each minus the plane fitted to it."""
    found: list[Picture] = []
    rows, columns = np.divmod(np.arange(side * side), side)
    basis = np.linalg.qr(np.stack([np.ones(side * side), rows, columns], 1))[0].astype(np.float32)
    for picture in pictures:
        if min(picture.shape[1:]) >= side:
            blocks = _blocks(picture, side).reshape(-1, side * side)
            found += list((blocks - blocks @ basis @ basis.T).reshape(-1, 1, side, side))
    found = [block for block in found if block.std() > 1e-6]
    found.sort(key=lambda block: float(block.std()))
    return found[: max(round(len(found) * share), 1)]


def clipped_share(pictures: Iterable[Picture]) -> tuple[float, float]:
    """Return the fractions of values that are exactly 0 and exactly 1. Floats outside are not clipped."""
    totals = np.zeros(3)
    for picture in pictures:
        totals += [(picture == 0).sum(), (picture == 1).sum(), picture.size]
    return float(totals[0] / totals[2]), float(totals[1] / totals[2])


def _blocks(picture: Picture, side: int) -> Picture:
    """Divide all channels into blocks ``(n, side, side)``, as many as fit."""
    channels, height, width = picture.shape
    rows, columns = height // side, width // side
    cut = picture[:, : rows * side, : columns * side]
    return cut.reshape(channels, rows, side, columns, side).swapaxes(2, 3).reshape(-1, side, side)


def _details(picture: Picture) -> Picture:
    """Return the diagonal Haar coefficients of each block, ``(n, BLOCK / 2, BLOCK / 2)``.

    White noise gives coefficients of the same sigma.
    """
    b = _blocks(picture, BLOCK)
    result: Picture = (b[:, ::2, ::2] - b[:, 1::2, ::2] - b[:, ::2, 1::2] + b[:, 1::2, 1::2]) * np.float32(
        0.5
    )
    return result


def _flat(picture: Picture) -> NDArray[np.bool_]:
    """Return which blocks are among the flattest: those whose quarters have the most similar means."""
    means = _blocks(picture, BLOCK).reshape(-1, 2, BLOCK // 2, 2, BLOCK // 2).mean(axis=(2, 4))
    ranges = np.ptp(means.reshape(len(means), -1), axis=1)
    return np.asarray(ranges <= np.quantile(ranges, FLATTEST))
