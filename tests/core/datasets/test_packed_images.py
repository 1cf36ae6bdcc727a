"""Pixels of many pictures at once."""

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.datasets.packed_images import PackedImages, random_below
from n2n_core.image.rounding import to_bytes

SIZES = ((5, 7), (9, 4), (6, 6))


def pictures(exact: bool) -> list[Tensor]:
    generator = Generator().manual_seed(0)
    drawn = [torch.rand(3, *size, generator=generator) for size in SIZES]
    return [to_bytes(picture).float() / 255 for picture in drawn] if exact else drawn


@pytest.mark.parametrize("exact", [True, False])
def test_windows_of_any_picture_are_read(exact: bool) -> None:
    held = pictures(exact)
    images, index = PackedImages(held), torch.tensor([2, 0, 1, 0])
    top, left = torch.tensor([0, 2, 5, 1]), torch.tensor([3, 4, 1, 0])
    steps = torch.arange(3)
    windows = images.read(
        index, top.view(-1, 1, 1) + steps.view(1, 3, 1), left.view(-1, 1, 1) + steps.view(1, 1, 3)
    )
    for window, picture, row, column in zip(windows, index, top, left, strict=True):
        assert window.equal(held[picture][:, row : row + 3, column : column + 3])
    assert (len(images), images.heights.tolist(), images.widths.tolist()) == (3, [5, 9, 6], [7, 4, 6])


def test_bytes_are_kept_only_if_they_hold_every_picture() -> None:
    exact, other = pictures(True), pictures(False)
    assert PackedImages(exact).values.dtype == torch.uint8
    mixed = PackedImages([exact[0], other[1], exact[2]])
    assert mixed.values.dtype == torch.float32
    everything = torch.arange(6).view(1, 6, 1), torch.arange(6).view(1, 1, 6)
    assert mixed.read(torch.tensor([2]), *everything)[0].equal(exact[2])


def test_below_is_uniform() -> None:
    drawn = random_below(torch.tensor([1, 3]).expand(3000, 2), Generator().manual_seed(0))
    assert drawn[:, 0].eq(0).all()
    assert min(drawn[:, 1].bincount(minlength=3)) > 900
    assert drawn.max() == 2
