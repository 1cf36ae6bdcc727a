"""Tiles give what the whole image gives."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from n2n_core import scratch
from n2n_core.errors import ConfigError
from n2n_core.inference import tiling
from n2n_core.inference.tiling import Geometry
from n2n_core.models.architectures import DEPTHS, FINAL_WITHOUT_SKIP, MODELS, UNet
from n2n_core.models.torch_modules import Network

SIZES = [(1, 1), (1, 40), (3, 7), (5, 5), (16, 16), (33, 65), (50, 31), (64, 64), (67, 90)]
NETWORKS = {**MODELS, "depth-6": DEPTHS[6], "without skip": FINAL_WITHOUT_SKIP}


def build(name: str) -> Network:
    return NETWORKS[name].build(Generator().manual_seed(3)).eval()


def whole(network: Network, images: Tensor, shape: Geometry) -> Tensor:
    height, width = images.shape[-2:]
    with torch.no_grad():
        output: Tensor = network(tiling.pad(images, shape))
    return output[..., :height, :width]


def tiled(network: Network, images: Tensor, shape: Geometry, window: int) -> Tensor:
    with torch.no_grad():
        return tiling.run(network, images, shape, window, batch_pixels=5000)


@pytest.mark.parametrize("window", [24, 32, 50])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_equal_the_whole_image(name: str, size: tuple[int, int], window: int) -> None:
    network = build(name)
    shape = tiling.geometry(network)
    images = torch.rand(2, 3, *size, generator=Generator().manual_seed(1))
    torch.testing.assert_close(
        tiled(network, images, shape, window), whole(network, images, shape), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("name", [name for name, known in MODELS.items() if isinstance(known, UNet)])
@pytest.mark.parametrize("size", [(217, 170), (296, 40)])
def test_wide_context_is_exact_too(name: str, size: tuple[int, int]) -> None:
    network = build(name)
    shape = tiling.geometry(network)
    window = 2 * shape.halo + 2 * shape.period
    images = torch.rand(1, 3, *size, generator=Generator().manual_seed(1))
    torch.testing.assert_close(
        tiled(network, images, shape, window), whole(network, images, shape), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_smallest_window_is_enough(name: str) -> None:
    network = build(name)
    shape = tiling.geometry(network)
    images = torch.rand(1, 3, 21, 18, generator=Generator().manual_seed(1))
    torch.testing.assert_close(
        tiled(network, images, shape, 1), whole(network, images, shape), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_smaller_halo_would_not_do(name: str) -> None:
    network = build(name)
    shape = tiling.geometry(network)
    short = Geometry(shape.period, shape.halo // 4 // shape.period * shape.period, shape.minimum)
    side = 4 * shape.halo + 48
    images = torch.rand(1, 3, side, side, generator=Generator().manual_seed(1))
    difference = tiled(network, images, short, shape.halo + 24) - whole(network, images, shape)
    assert difference.abs().max() > 1e-4


def test_a_wrong_period_would_not_do() -> None:
    network = build("scratch")
    shape = tiling.geometry(network)
    images = torch.rand(1, 3, 64, 64, generator=Generator().manual_seed(1))
    difference = tiled(network, images, Geometry(1, 5, 4), 24) - whole(network, images, shape)
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Conv2d(1, 1, 3, padding=1)], Geometry(1, 1, 1)),
        ([nn.Conv2d(1, 1, 3, padding=2, dilation=2)], Geometry(1, 2, 1)),
        ([nn.Conv2d(1, 1, (1, 5), padding=(0, 2))], Geometry(1, 2, 1)),
        ([nn.Conv2d(1, 1, 3), nn.ConvTranspose2d(1, 1, 3)], Geometry(1, 2, 3)),
        ([nn.Conv2d(1, 1, 2, stride=2), nn.ConvTranspose2d(1, 1, 2, stride=2)], Geometry(2, 0, 2)),
    ],
)
def test_geometry_follows_from_the_layers(layers: list[nn.Module], expected: Geometry) -> None:
    assert tiling.geometry(nn.Sequential(*layers)) == expected


def test_a_network_that_changes_the_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="scales images by 1/2"):
        tiling.geometry(scratch.Sequential(scratch.Conv2d(3, 3, 2, stride=2)))


@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_every_pixel_once_and_have_one_size(size: tuple[int, int]) -> None:
    shape = Geometry(period=4, halo=4, minimum=4)
    height, width = (shape.fit(length) for length in size)
    counts = torch.zeros(height, width)
    sizes = set()
    for tile in tiling.tiles(height, width, shape, window=16):
        counts[tile.place] += 1
        sizes.add(tuple(part.stop - part.start for part in tile.window))
        assert all(part.start % shape.period == 0 for part in tile.window)
    assert counts.eq(1).all()
    assert len(sizes) == 1


@pytest.mark.parametrize("image", [torch.tensor([[1.0, 2.0, 3.0]]), np.array([[1, 2, 3]], np.float32)])
def test_padding_reflects_as_often_as_needed(image: Any) -> None:
    padded = tiling.pad(image, Geometry(period=8, halo=0, minimum=1))
    assert type(padded) is type(image)
    assert padded[0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert padded.shape == (8, 8)


def test_tiles_are_batched_up_to_the_limit() -> None:
    seen = []

    def network(batch: Tensor) -> Tensor:
        seen.append(batch.shape)
        return batch

    images = torch.rand(3, 3, 64, 64)
    assert tiling.run(network, images, Geometry(1, 4, 1), 24, batch_pixels=24 * 24 * 5).equal(images)
    assert {tuple(shape[2:]) for shape in seen} == {(22, 22)}  # four on each axis leave nothing over
    assert [shape[0] for shape in seen[:-1]] == [5] * (len(seen) - 1)


@pytest.mark.parametrize("shape", [Geometry(1, 4, 5), Geometry(4, 4, 4), Geometry(4, 8, 8)])
@pytest.mark.parametrize("window", [20, 33, 64, 128])
def test_tiles_overlap_little_and_are_not_much_larger_than_asked_for(shape: Geometry, window: int) -> None:
    for length in range(shape.fit(1), 600, 12 + shape.period):
        size = min(tiling.tiles(length, length, shape, window), key=lambda tile: tile.pixels).pixels ** 0.5
        least = 2 * shape.halo + shape.period
        assert size <= tiling.TOLERANCE * max(window, least) + shape.period
        count = len(list(tiling.tiles(length, length, shape, window))) ** 0.5
        assert count * (size - 2 * shape.halo) <= length + count * shape.period or count == 1
