"""Quality figures of one picture, at its own depth."""

import numpy as np
import pytest

from n2n_core.image import Bits, Pixels
from n2n_core.metrics.quality import quality


def sky(sigma: float, seed: int = 0) -> Pixels:
    """A dark sky of 1028 of 65535, 4 of 255, with noise of so many levels of that."""
    noise = np.random.default_rng(seed).normal(0, sigma, (1, 128, 128))
    return ((1028 + noise) / 65535).astype(np.float32)


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("sigma", [5, 60, 300])
def test_faint_noise_of_deep_pictures_is_measured(sigma: float, bits: Bits) -> None:
    assert quality(sky(sigma), None, bits).noise == pytest.approx(sigma / 257, rel=0.1)


def test_of_8_bits_there_is_what_a_file_of_8_bits_has() -> None:
    assert quality(sky(5), None).noise < 0.01  # all of it is rounded away
    assert quality(sky(3 * 257), None).noise == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("bits", [16, 32])
def test_deep_pictures_are_held_against_the_reference_at_their_depth(bits: Bits) -> None:
    clean, noisy = sky(0), sky(60)
    found = quality(noisy, clean, bits)
    assert found.psnr == pytest.approx(20 * np.log10(65535 / 60), abs=0.1)
    assert found.ssim is not None
    assert found.ssim < 1
    assert quality(sky(5), clean).psnr is None  # equal, of 8 bits
