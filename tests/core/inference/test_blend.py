"""Strength interpolates linearly between the picture and the result."""

import numpy as np
import pytest
import torch

from n2n_core.errors import ConfigError
from n2n_core.inference.blend import blend

NOISY = np.array([[[0.1, 0.9]]], np.float32)
DENOISED = np.array([[[0.3, 0.7]]], np.float32)


def test_the_ends_are_exact() -> None:
    assert np.array_equal(blend(NOISY, DENOISED, 0), NOISY)
    assert np.array_equal(blend(NOISY, DENOISED, 1), DENOISED)


def test_a_quarter_is_a_quarter_of_the_way() -> None:
    assert blend(NOISY, DENOISED, 0.25).ravel() == pytest.approx([0.15, 0.85])
    half = blend(torch.from_numpy(NOISY), torch.from_numpy(DENOISED), 0.5)
    assert half.numpy().ravel() == pytest.approx([0.2, 0.8])


def test_the_type_stays() -> None:
    assert blend(NOISY, DENOISED, 0.3).dtype == np.float32


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf")])
def test_other_strengths_are_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match=f"strength is {strength}, expected 0 to 1"):
        blend(NOISY, DENOISED, strength)
