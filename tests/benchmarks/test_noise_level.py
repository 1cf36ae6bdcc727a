"""The estimators in the benchmark are fair rivals: without texture, each finds the noise level."""

import numpy as np
import pytest

from benchmarks.noise_level import ESTIMATES, KINDS, noisy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ESTIMATES)
def test_noise_alone_is_measured_right(name: str, kind: str) -> None:
    picture, level = noisy(np.full((3, 200, 200), 0.5, np.float32), 20, kind, np.random.default_rng(0))
    assert level == pytest.approx(20)
    assert ESTIMATES[name](picture) * 255 == pytest.approx(20, rel=0.04)
