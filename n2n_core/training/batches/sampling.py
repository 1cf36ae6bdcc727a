"""Training batches, drawn at random from pictures of any size.

What a batch is made of depends on the kind of data: ``pairs`` are two noisy shots of a scene,
``bursts`` several, of which any two make a pair; ``single`` is one noisy picture, divided by
Neighbor2Neighbor; ``clean`` are pictures that noise is added to, anew for each crop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from n2n_core.datasets.course_scenes import CourseScenes
from n2n_core.datasets.packed_images import PackedImages, random_below
from n2n_core.datasets.scenes import SHOTS, Scenes, TensorScenes
from n2n_core.errors import ConfigError, DataError
from n2n_core.inference import tiling
from n2n_core.noise.corruptions import Corruption, PointSampling
from n2n_core.training.batches.neighbor2neighbor import Neighbours
from n2n_core.training.batches.noisy_copies import NoisyCopies
from n2n_core.training.config import MAX_SEED, TrainConfig, corruption

CROPS_PER_EPOCH = (1_000, 20_000)
"""Fewest and most, where pictures are cropped and the recipe does not say how many."""

SHARE = 1 / 4
"""Of the free memory of a CUDA device that pictures may take."""


class Batch(NamedTuple):
    """What one step learns from: ``noisy`` and ``target`` are ``(N, 3, H, W)`` floats, padded alike.

    Of single pictures also the ``(N, 3, 2 H, 2 W)`` crops, not padded, and how they were divided.
    """

    noisy: Tensor
    target: Tensor
    whole: Tensor | None = None
    neighbours: Neighbours | None = None


@dataclass(frozen=True)
class Windows:
    """Where crops may lie, along either axis.

    Args:
        crop: their side in pixels of the batch.
        block: pixels of a picture, on either axis, that become one.
        multiple: what their side must be a multiple of, in pixels of a picture.
    """

    crop: int
    block: int = 1
    multiple: int = 1

    def size(self, length: int) -> int:
        """Pixels of a picture along an axis of ``length``; 0 if it is too small."""
        return min(self.crop * self.block, length) // self.multiple * self.multiple

    def count(self, length: int) -> int:
        """How many it takes to cover ``length``."""
        return -(-length // max(1, self.crop * self.block))

    def draw(self, length: int, generator: Generator) -> slice:
        """One at random; nothing is drawn where there is but one."""
        size = self.size(length)
        start = randint(length - size + 1, generator) if length > self.crop * self.block else 0
        return slice(start, start + size)

    def middle(self, length: int) -> slice:
        """The one in the middle."""
        size = self.size(length)
        start = (length - size) // 2
        return slice(start, start + size)


class Views:
    """Noisy and target pictures of ``scenes``, by its kind.

    Raises:
        ConfigError: clean pictures without a corruption, or others with one.
        DataError: a kind that does not exist, or a scene with too few shots.
    """

    def __init__(self, scenes: Scenes, config: TrainConfig) -> None:
        if scenes.kind not in SHOTS:
            raise DataError(f"the data's kind is {scenes.kind!r}, expected one of: {', '.join(SHOTS)}")
        self.scenes, self.kind = scenes, scenes.kind
        self.corruption, self.target_copies = _corruption(scenes, config), config.target_copies
        self.copies = NoisyCopies.of(config, self.corruption) if self.corruption else None
        for scene in range(len(scenes)):
            if scenes.shots(scene) < SHOTS[self.kind]:
                got = f"scene {scene} has {scenes.shots(scene)} shots"
                raise DataError(f"{got}, expected at least {SHOTS[self.kind]} of kind {self.kind!r}")

    def windows(self, crop: int) -> Windows:
        """Windows that give crops of side ``crop``."""
        block = self.corruption.block if isinstance(self.corruption, PointSampling) else 1
        return Windows(crop, block, multiple=2 if self.kind == "single" else block)

    def draw(self, scene: int, rows: slice, columns: slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """A noisy picture and its target, ``(3, h, w)``; of a single or a clean one, that picture twice."""
        first, *others = (
            self.scenes.read(scene, shot, rows, columns) for shot in self._shots(scene, generator)
        )
        if not others:
            return first, first
        return first, others[0] if len(others) == 1 else torch.stack(others).mean(0)

    def averaged(self, scene: int) -> int:
        """How many shots a target is the mean of."""
        return min(self.target_copies, self.scenes.shots(scene) - 1) if self.kind == "bursts" else 1

    def _shots(self, scene: int, generator: Generator) -> list[int]:
        """The input's, and those that the target is the mean of, if there are others."""
        if self.kind != "bursts":
            return list(range(SHOTS[self.kind]))
        count = self.scenes.shots(scene)
        first = randint(count, generator)
        if (averaged := self.averaged(scene)) == 1:
            steps = [randint(count - 1, generator)]
        else:
            steps = torch.randperm(count - 1, generator=generator, device=generator.device)[
                :averaged
            ].tolist()
        return [first, *((first + 1 + step) % count for step in steps)]


class Sampler:
    """Batches of crops from the ``chosen`` scenes, as ``config`` says.

    An epoch is a number of crops. Where every picture fits in one, it is every scene once, of
    bursts once for every two shots. Else scenes have shares by their pixels, and the crops are
    those that it takes to cover all pictures once, but ``CROPS_PER_EPOCH``, unless the recipe says
    how many.

    On a CUDA device all is drawn there, and clean pictures that fit are kept there.
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
        self.views = Views(scenes, config)
        self.windows = self.views.windows(config.crop)
        counts = [self._crops(scene) for scene in chosen]
        shares = torch.tensor([count * self._turns(s) for s, count in zip(chosen, counts, strict=True)])
        self.items = torch.tensor(list(chosen)).repeat_interleave(shares)
        self.whole = max(counts) == 1
        fewest, most = CROPS_PER_EPOCH
        own = len(self.items) if self.whole else min(max(len(self.items), fewest), most)
        self.crops = config.crops_per_epoch or own
        self.batches_per_epoch = -(-self.crops // config.batch_size)
        self.album = self._kept()

    @property
    def pixels(self) -> int:
        """About how many a batch has."""
        _, height, width = self.scenes.shape(int(self.items[0]))
        return self.config.batch_size * self.windows.size(height) * self.windows.size(width)

    def order(self, generator: Generator) -> Tensor:
        """The scenes of one epoch's crops: all in random order, and again until there are enough."""
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
        """A crop of each scene, made noisy, swapped and augmented as the recipe says, padded to fit."""
        generator = self._on_device(generator)
        noisy, target = self._draw(scenes, generator)
        if self.views.copies:
            noisy, target = self.views.copies(noisy, generator)
        if self.config.swap and self.scenes.kind == "pairs":
            noisy, target = swap(noisy, target, generator)
        if self.config.augment:
            noisy, target = augment(noisy, target, generator)
        if self.scenes.kind != "single":
            return Batch(tiling.pad(noisy, self.shape), tiling.pad(target, self.shape))
        neighbours = Neighbours.draw(noisy, generator)
        first, second = (tiling.pad(half, self.shape) for half in neighbours(noisy))
        return Batch(first, second, noisy, neighbours)

    def _draw(self, scenes: Sequence[int], generator: Generator) -> tuple[Tensor, Tensor]:
        if isinstance(self.scenes, TensorScenes) and self.scenes.kind == "pairs" and self.whole:
            noisy, target = (self.scenes.stack(scenes, shot, self.device) for shot in (0, 1))
            return noisy, target
        if isinstance(self.scenes, CourseScenes):
            return self.scenes.draw(scenes, generator, self.device)
        if self.album:
            clean = self._windows(self.album, torch.tensor(scenes, device=self.device), generator)
            return clean, clean
        pairs = [self._crop(scene, generator) for scene in scenes]
        noisy, target = (_collate(pictures).to(self.device) for pictures in zip(*pairs, strict=True))
        return noisy, target

    def _on_device(self, generator: Generator) -> Generator:
        """One for this batch alone, on the device if that is CUDA: what a run keeps is on the host."""
        if self.device.type != "cuda":
            return generator
        return Generator(self.device).manual_seed(randint(MAX_SEED, generator))

    def _kept(self) -> PackedImages | None:
        """Clean pictures on the CUDA device, if all have room for a whole crop and there is memory."""
        if self.device.type != "cuda" or self.scenes.kind != "clean":
            return None
        shapes = [self.scenes.shape(scene) for scene in range(len(self.scenes))]
        free, _ = torch.cuda.mem_get_info(self.device)
        side = self.windows.crop * self.windows.block
        if min(min(shape[1:]) for shape in shapes) < side or sum(map(prod, shapes)) * 4 > free * SHARE:
            return None
        everything = slice(None)
        pictures = (self.scenes.read(scene, 0, everything, everything) for scene in range(len(shapes)))
        return PackedImages(pictures).to(self.device)

    def _windows(self, album: PackedImages, scenes: Tensor, generator: Generator) -> Tensor:
        """A random window of each scene, ``(N, 3, side, side)``."""
        side = self.windows.crop * self.windows.block
        steps = torch.arange(side, device=self.device)
        lengths = album.heights[scenes], album.widths[scenes]
        top, left = (random_below(length - side + 1, generator).view(-1, 1, 1) for length in lengths)
        return album.read(scenes, top + steps.view(1, -1, 1), left + steps.view(1, 1, -1))

    def _crop(self, scene: int, generator: Generator) -> tuple[Tensor, Tensor]:
        _, height, width = self.scenes.shape(scene)
        rows = self.windows.draw(height, generator)
        return self.views.draw(scene, rows, self.windows.draw(width, generator), generator)

    def _crops(self, scene: int) -> int:
        """How many crops cover the scene."""
        _, height, width = self.scenes.shape(scene)
        least = self.windows.multiple
        if min(height, width) < least:
            raise DataError(f"scene {scene} is {width} x {height}, expected at least {least} x {least}")
        return self.windows.count(height) * self.windows.count(width)

    def _turns(self, scene: int) -> int:
        return self.scenes.shots(scene) // 2 if self.scenes.kind == "bursts" else 1


def split(count: int, fraction: float) -> tuple[list[int], list[int]]:
    """Divide ``count`` scenes into training and validation, both in order, neither empty.

    The same for every run on the same data, whatever its seed, so that their figures compare.
    """
    if count < 2:
        raise DataError(f"the data has {count} scenes, expected at least 2 (one to train, one to validate)")
    order = torch.randperm(count, generator=Generator().manual_seed(0)).tolist()
    held_out = min(max(round(count * fraction), 1), count - 1)
    return sorted(order[held_out:]), sorted(order[:held_out])


def swap(noisy: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Exchange the two images of each pair with probability 1/2."""
    chosen = _coins(noisy, generator)
    return torch.where(chosen, target, noisy), torch.where(chosen, noisy, target)


def augment(noisy: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Turn each pair into one of its 8 flips and 90-degree rotations (4 if not square)."""
    both = torch.cat([noisy, target], dim=1)
    for axis in (2, 3):
        both = torch.where(_coins(noisy, generator), both.flip(axis), both)
    if both.shape[2] == both.shape[3]:
        both = torch.where(_coins(noisy, generator), both.transpose(2, 3), both)
    return both[:, : noisy.shape[1]], both[:, noisy.shape[1] :]


def randint(count: int, generator: Generator) -> int:
    """Uniform in ``0 .. count - 1``."""
    return int(torch.randint(count, (), generator=generator, device=generator.device))


def _coins(batch: Tensor, generator: Generator) -> Tensor:
    """One fair coin an image, ``(N, 1, 1, 1)``."""
    drawn = torch.rand(len(batch), 1, 1, 1, generator=generator, device=generator.device)
    return (drawn < 0.5).to(batch.device)


def _collate(pictures: Sequence[Tensor]) -> Tensor:
    """``(3, h, w)`` pictures as ``(N, 3, H, W)``, the smaller ones extended by reflection."""
    rows, columns = (max(picture.shape[axis] for picture in pictures) for axis in (1, 2))
    return torch.stack([tiling.reflect(picture, rows, columns) for picture in pictures])


def _corruption(scenes: Scenes, config: TrainConfig) -> Corruption | None:
    description = config.corruption or (scenes.corruption if scenes.kind == "clean" else None)
    if (scenes.kind == "clean") != (description is not None):
        expected = "that of the noise to add to clean pictures" if scenes.kind == "clean" else "none"
        raise ConfigError(
            f"corruption is {description}, expected {expected}: the data's kind is {scenes.kind!r}"
        )
    return None if description is None else corruption(description)
