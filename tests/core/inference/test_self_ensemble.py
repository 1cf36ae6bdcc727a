"""Eight symmetries: what their results have in common, and how they differ."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from n2n_core.inference.self_ensemble import SYMMETRIES, Symmetry, combine, self_ensemble

IMAGES = torch.rand(2, 3, 5, 7, generator=Generator().manual_seed(0))


def test_what_has_the_symmetries_is_kept() -> None:
    result = self_ensemble(lambda x: 2 * x, IMAGES)
    torch.testing.assert_close(result.image, 2 * IMAGES)
    assert result.spread.shape == (2, 1, 5, 7)
    assert result.spread.max() < 1e-6


def test_the_network_sees_each_of_the_eight_once() -> None:
    seen: list[Tensor] = []

    def denoise(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    self_ensemble(denoise, IMAGES)
    upright = [image for image in seen if image.shape == IMAGES.shape]
    turned = [image.transpose(2, 3) for image in seen if image.shape != IMAGES.shape]
    for images in (upright, turned):
        assert len({tuple(image.flatten().tolist()) for image in images}) == 4


@pytest.mark.parametrize("symmetry", SYMMETRIES, ids=str)
def test_every_symmetry_is_undone(symmetry: Symmetry) -> None:
    array = IMAGES.numpy()
    assert np.array_equal(symmetry.undo(symmetry(array)), array)
    assert np.array_equal(symmetry(IMAGES).numpy(), symmetry(array))
    assert symmetry.undo(symmetry(IMAGES)).equal(IMAGES)


def test_the_first_symmetry_changes_nothing() -> None:
    assert SYMMETRIES[0](IMAGES).equal(IMAGES)


def test_noise_of_the_results_is_averaged_and_is_their_spread() -> None:
    generator = Generator().manual_seed(1)
    result = self_ensemble(lambda x: x + torch.randn(x.shape, generator=generator), IMAGES)
    assert 0.8 / 8**0.5 < (result.image - IMAGES).std().item() < 1.2 / 8**0.5
    assert result.spread.mean().item() == pytest.approx(0.9, abs=0.1)  # a deviation of eight: below 1


def test_mean_and_spread_are_numpys() -> None:
    results = np.random.default_rng(0).random((8, 3, 4, 6), np.float32)
    found = combine(iter(results))
    assert found.image == pytest.approx(results.mean(0), abs=1e-6)
    assert found.spread == pytest.approx(results.std(0).mean(0, keepdims=True), abs=1e-6)
    assert found.spread.shape == (1, 4, 6)
    assert found.image.dtype == found.spread.dtype == np.float32


def test_one_result_has_no_spread() -> None:
    assert combine([IMAGES]).spread.max() == 0


def test_arrays_and_tensors_give_the_same() -> None:
    def left(x: Tensor) -> Tensor:
        return x * torch.linspace(0, 1, x.shape[-1])

    def left_array(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x * np.linspace(0, 1, x.shape[-1], dtype=np.float32)

    tensors, arrays = self_ensemble(left, IMAGES), self_ensemble(left_array, IMAGES.numpy())
    assert arrays.image == pytest.approx(tensors.image.numpy(), abs=1e-6)
    assert arrays.spread == pytest.approx(tensors.spread.numpy(), abs=1e-6)
    assert arrays.spread.max() > 0.1
