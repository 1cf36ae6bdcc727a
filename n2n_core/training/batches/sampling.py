"""Training batches, drawn at random from pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from n2n_core.datasets.packed_images import PackedImages, random_below
from n2n_core.datasets.scenes import Scenes
from n2n_core.errors import DataError
from n2n_core.inference import tiling
from n2n_core.training.batches.augmentation import augment, swap
from n2n_core.training.batches.crop_windows import randint
from n2n_core.training.batches.neighbor2neighbor import NeighborSubsampler
from n2n_core.training.batches.pair_reader import PairReader
from n2n_core.training.config import MAX_SEED, TrainConfig

CROPS_PER_EPOCH = (1_000, 20_000)
"""Minimum and maximum per epoch, if pictures are cropped and the recipe does not say how many."""

SHARE = 1 / 4
"""Fraction of a CUDA device's free memory that pictures may take."""


class Batch(NamedTuple):
    """Training data of one step.

    Args:
        noisy: ``(N, 3, H, W)`` floats, padded for the network.
        target: the same for the targets.
        whole: the ``(N, 3, 2 H, 2 W)`` crops without padding, for single pictures.
        subsampler: how these were divided.
    """

    noisy: Tensor
    target: Tensor
    whole: Tensor | None = None
    subsampler: NeighborSubsampler | None = None


class Sampler:
    """Batches of crops from the ``chosen`` scenes, as ``config`` says.

    An epoch is a number of crops. If every picture fits in one crop, the epoch has every scene once, bursts
    once for every two shots. Otherwise each scene has a share in proportion to its pixels, and the number is
    what it takes to cover all pictures once, within ``CROPS_PER_EPOCH``, unless the recipe gives it.

    On a CUDA device everything is drawn there, and clean pictures that fit in its memory are kept there.
    """

    def __init__(
        self,
        scenes: Scenes,
        chosen: Sequence[int],
        config: TrainConfig,
        shape: tiling.Geometry,
        device: torch.device,
    ) -> None:
        self.scenes, self.config, self.shape, self.device = scenes, config, shape, device
        self.reader = PairReader(scenes, config)
        self.windows = self.reader.windows(config.crop)
        counts = [self._crops(scene) for scene in chosen]
        shares = [count * self.reader.pairs(scene) for scene, count in zip(chosen, counts, strict=True)]
        self.items = torch.tensor(list(chosen)).repeat_interleave(torch.tensor(shares))
        fewest, most = CROPS_PER_EPOCH
        covering = len(self.items) if max(counts) == 1 else min(max(len(self.items), fewest), most)
        self.crops = config.crops_per_epoch or covering
        self.batches_per_epoch = -(-self.crops // config.batch_size)
        self.resident = self._resident()

    @property
    def pixels(self) -> int:
        """Approximate number of pixels in a batch."""
        _, height, width = self.scenes.shape(int(self.items[0]))
        return self.config.batch_size * self.windows.size(height) * self.windows.size(width)

    def order(self, generator: Generator) -> Tensor:
        """Return the scenes of one epoch's crops: all in random order, repeated until there are enough."""
        rounds = -(-self.crops // len(self.items))
        orders = [torch.randperm(len(self.items), generator=generator) for _ in range(rounds)]
        return self.items[torch.cat(orders)[: self.crops]]

    def batches(self, order: Tensor, generator: Generator, first: int = 0) -> Iterator[Batch]:
        """Yield one epoch's batches from number ``first`` on.

        ``generator`` is drawn from as each batch is made, not before.
        """
        for index in torch.split(order, self.config.batch_size)[first:]:
            yield self.batch(index.tolist(), generator)

    def batch(self, scenes: Sequence[int], generator: Generator) -> Batch:
        """Return a crop of each scene, made noisy, swapped, augmented and padded as the recipe says."""
        generator = self._on_device(generator)
        noisy, target = self._draw(scenes, generator)
        if self.reader.copies:
            noisy, target = self.reader.copies(noisy, generator)
        if self.config.swap and self.scenes.kind == "pairs":
            noisy, target = swap(noisy, target, generator)
        if self.config.augment:
            noisy, target = augment(noisy, target, generator)
        if self.scenes.kind != "single":
            return Batch(tiling.pad(noisy, self.shape), tiling.pad(target, self.shape))
        subsampler = NeighborSubsampler.draw(noisy, generator)
        first, second = (tiling.pad(half, self.shape) for half in subsampler(noisy))
        return Batch(first, second, noisy, subsampler)

    def _draw(self, scenes: Sequence[int], generator: Generator) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of one crop of each scene."""
        whole = self.scenes.draw(scenes, generator, self.device, self.config.crop)
        if whole is not None:
            return whole
        if self.resident:
            clean = self._windows(self.resident, torch.tensor(scenes, device=self.device), generator)
            return clean, clean
        pairs = [self._crop(scene, generator) for scene in scenes]
        noisy, target = (_collate(pictures).to(self.device) for pictures in zip(*pairs, strict=True))
        return noisy, target

    def _on_device(self, generator: Generator) -> Generator:
        """Return a generator for this batch on the device if that is CUDA: the run's own is on the CPU."""
        if self.device.type != "cuda":
            return generator
        return Generator(self.device).manual_seed(randint(MAX_SEED, generator))

    def _resident(self) -> PackedImages | None:
        """Return clean pictures on the CUDA device, if each holds a whole crop and there is memory."""
        if self.device.type != "cuda" or self.scenes.kind != "clean":
            return None
        shapes = [self.scenes.shape(scene) for scene in range(len(self.scenes))]
        free, _ = torch.cuda.mem_get_info(self.device)
        if min(min(shape[1:]) for shape in shapes) < self.windows.side:
            return None
        if sum(map(prod, shapes)) * 4 > free * SHARE:
            return None
        everything = slice(None)
        pictures = (self.scenes.read(scene, 0, everything, everything) for scene in range(len(shapes)))
        return PackedImages(pictures).to(self.device)

    def _windows(self, images: PackedImages, scenes: Tensor, generator: Generator) -> Tensor:
        """Return a random window of each scene, ``(N, 3, side, side)``."""
        side = self.windows.side
        steps = torch.arange(side, device=self.device)
        lengths = images.heights[scenes], images.widths[scenes]
        top, left = (random_below(length - side + 1, generator).view(-1, 1, 1) for length in lengths)
        return images.read(scenes, top + steps.view(1, -1, 1), left + steps.view(1, 1, -1))

    def _crop(self, scene: int, generator: Generator) -> tuple[Tensor, Tensor]:
        _, height, width = self.scenes.shape(scene)
        rows = self.windows.draw(height, generator)
        return self.reader.draw(scene, rows, self.windows.draw(width, generator), generator)

    def _crops(self, scene: int) -> int:
        """Return how many crops cover the scene."""
        _, height, width = self.scenes.shape(scene)
        least = self.windows.multiple
        if min(height, width) < least:
            raise DataError(f"scene {scene} is {width} x {height}, expected at least {least} x {least}")
        return self.windows.count(height) * self.windows.count(width)


def split(count: int, fraction: float) -> tuple[list[int], list[int]]:
    """Divide ``count`` scenes into training and validation, both in order, neither empty.

    The division does not depend on the run's seed, so that figures of runs on the same data compare.
    """
    if count < 2:
        raise DataError(f"the data has {count} scenes, expected at least 2 (one to train, one to validate)")
    order = torch.randperm(count, generator=Generator().manual_seed(0)).tolist()
    held_out = min(max(round(count * fraction), 1), count - 1)
    return sorted(order[held_out:]), sorted(order[:held_out])


def _collate(pictures: Sequence[Tensor]) -> Tensor:
    """Return ``(3, h, w)`` pictures as ``(N, 3, H, W)``. Smaller ones are extended by reflection."""
    rows, columns = (max(picture.shape[axis] for picture in pictures) for axis in (1, 2))
    return torch.stack([tiling.reflect(picture, rows, columns) for picture in pictures])
