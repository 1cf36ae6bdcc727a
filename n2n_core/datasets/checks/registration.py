"""Estimates the shift between two shots to a fraction of a pixel, even under heavy noise.

The cross-power spectrum of two shots is the power spectrum of the scene, with a phase that is linear in
the shift. The noise of the two shots is independent, so it averages out over patches and scenes. Each
frequency is weighted by ``S / (2 S N + N^2)``, where S is the scene's power and N the noise's: the
maximum-likelihood weight for normal noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

LOWEST = 2.5
"""Frequencies of fewer periods per patch are left out, because the patch's edges disturb them."""


SURE = 3.0
"""Least signal that counts, in its standard errors."""


CLEAR = 5.0
"""Least height of the correlation's peak, in standard deviations. Noise may cause lower ones."""


@dataclass(frozen=True)
class Shift:
    """Shift of the second shot relative to the first, in pixels down and to the right.

    ``error`` is the standard error of each component. It is infinite if no shift can be measured.
    """

    rows: float
    columns: float
    error: float

    @property
    def size(self) -> float:
        """Length of the shift in pixels."""
        return float(np.hypot(self.rows, self.columns))


def find_shift(pairs: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> Shift:
    """Estimate the shift that all pairs have in common, up to a quarter of a patch.

    Args:
        pairs: patches ``(H, W)``, all of the same shape.
    """
    shape = pairs[0][0].shape
    window = np.outer(np.hanning(shape[0] + 2)[1:-1], np.hanning(shape[1] + 2)[1:-1])
    spectra = [[np.fft.fft2((p - p.mean(dtype=np.float64)) * window) for p in pair] for pair in pairs]
    cross = sum((a.conj() * b for a, b in spectra), np.zeros(shape, np.complex128))
    power = sum((np.abs(a) ** 2 + np.abs(b) ** 2 for a, b in spectra), np.zeros(shape)) / 2
    rows, columns = (np.fft.fftfreq(n).astype(np.float64) for n in shape)
    y = x = information = 0.0
    for sure in (0.0, SURE, SURE):  # better alignment separates signal and noise better
        turn = np.exp(2j * np.pi * (rows[:, None] * y + columns * x))
        shared = (cross * turn).real
        weight, signal = _weights(power, shared, sure / len(pairs) ** 0.5)
        information = 4 * np.pi**2 * float((weight * signal * (rows[:, None] ** 2 + columns**2) / 2).sum())
        if not information:
            return Shift(0.0, 0.0, error=float("inf"))
        y, x = _peak(cross * weight, rows, columns)
    correlation = np.fft.ifft2(cross * weight).real
    clear = correlation.max() > CLEAR * correlation.std()
    return Shift(y, x, error=information**-0.5 if clear else float("inf"))


def _weights(power: Real, shared: Real, sure: float) -> tuple[Real, Real]:
    """Return the weight of each frequency and the scene's power in it, both as means over rings.

    Rings whose signal is less than ``sure`` standard errors have weight 0.
    """
    rows, columns = (np.fft.fftfreq(n) for n in power.shape)
    periods = np.hypot(rows[:, None] * len(rows), columns * len(columns))
    ring = np.hypot(rows[:, None], columns) * min(power.shape)
    ring = np.minimum(ring.round().astype(int), min(power.shape) // 2)
    count = np.bincount(ring.ravel())
    signal, total = (np.bincount(ring.ravel(), values.ravel()) / count for values in (shared, power))
    noise = np.maximum(total - signal, total.max() * 1e-9 + 1e-30)
    signal = np.where(signal > sure * noise / np.sqrt(count), signal, 0)
    weight = signal / (2 * signal * noise + noise**2)
    return weight[ring] * (periods >= LOWEST), np.asarray(signal[ring])


def _peak(cross: Complex, rows: Real, columns: Real) -> tuple[float, float]:
    """Return where the correlation is greatest, searched over whole pixels and then in finer steps."""
    height, width = cross.shape
    correlation = np.fft.ifft2(cross).real
    near = (np.abs(rows[:, None] * height) <= height / 4) & (np.abs(columns * width) <= width / 4)
    top, left = np.unravel_index(np.argmax(np.where(near, correlation, -np.inf)), cross.shape)
    y, x = float(rows[top] * height), float(columns[left] * width)
    for step in (0.1, 0.01):
        offsets = np.arange(-10, 11) * step
        down = np.exp(2j * np.pi * np.outer(y + offsets, rows))
        right = np.exp(2j * np.pi * np.outer(columns, x + offsets))
        values = (down @ cross @ right).real
        i, j = np.unravel_index(np.argmax(values), values.shape)
        y, x = y + float(offsets[i]), x + float(offsets[j])
    return round(y, 2), round(x, 2)
