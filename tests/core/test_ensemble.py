"""The mean over eight symmetries."""

import torch
from torch import Generator, Tensor

from n2n_core.ensemble import self_ensemble

IMAGES = torch.rand(2, 3, 5, 7, generator=Generator().manual_seed(0))


def test_what_has_the_symmetries_is_kept() -> None:
    torch.testing.assert_close(self_ensemble(lambda x: 2 * x, IMAGES), 2 * IMAGES)


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


def test_noise_of_the_results_is_averaged() -> None:
    generator = Generator().manual_seed(1)
    result = self_ensemble(lambda x: x + torch.randn(x.shape, generator=generator), IMAGES)
    assert 0.8 / 8**0.5 < (result - IMAGES).std().item() < 1.2 / 8**0.5
