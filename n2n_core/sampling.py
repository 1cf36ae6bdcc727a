"""Training batches, drawn at random from pictures of any size.

What a batch is made of depends on the kind of data: ``pairs`` are two noisy shots of a scene,
``bursts`` several, of which any two make a pair; ``single`` is one noisy picture, divided by
Neighbor2Neighbor; ``clean`` are pictures that noise is added to, anew for each crop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
from torch import Generator, Tensor

from n2n_core import recipe, tiling, weights
from n2n_core.data import Pairs
from n2n_core.errors import ConfigError, DataError
from n2n_core.metrics import to_bytes
from n2n_core.neighbours import Neighbours
from n2n_core.noise import Blind, Corruption, PointSampling
from n2n_core.recipe import TrainConfig

SHOTS = {"pairs": 2, "bursts": 2, "single": 1, "clean": 1}
"""The kinds of data, and how many shots a scene must have at least."""

CROPS_PER_EPOCH = (1_000, 20_000)
"""Fewest and most, where pictures are cropped and the recipe does not say how many."""


class Scenes(Protocol):
    """A dataset: scenes, each in one or more shots of the same size."""

    @property
    def kind(self) -> str:
        """A key of ``SHOTS``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Another one for other data."""
        ...

    @property
    def corruption(self) -> dict[str, Any] | None:
        """For clean pictures: a noise's name, and its parameters."""
        ...

    def __len__(self) -> int:
        """How many scenes there are."""
        ...

    def shots(self, scene: int) -> int:
        """How many shots of a scene there are."""
        ...

    def shape(self, scene: int) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        ...

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """A window of a shot, ``(3, h, w)`` float32, nominally in [0, 1], never clipped."""
        ...


class TensorScenes:
    """Scenes of one size in memory.

    Args:
        kind: a key of ``SHOTS``.
        pictures: a tensor ``(N, 3, H, W)`` for each shot.
        corruption: for clean pictures.
        peak: the value that becomes 1.
    """

    def __init__(
        self, kind: str, *pictures: Tensor, corruption: dict[str, Any] | None = None, peak: float = 1.0
    ) -> None:
        self.kind, self.pictures, self.corruption, self.peak = kind, pictures, corruption, peak

    @classmethod
    def of(cls, pairs: Pairs) -> TensorScenes:
        """Pairs with values from 0 to 255."""
        return cls("pairs", *pairs, peak=255.0)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all pictures."""
        return weights.fingerprint(*self.pictures)

    def __len__(self) -> int:
        return len(self.pictures[0])

    def shots(self, scene: int) -> int:
        """The same for all scenes."""
        return len(self.pictures)

    def shape(self, scene: int) -> tuple[int, int, int]:
        """The same for all scenes."""
        c, h, w = self.pictures[0].shape[1:]
        return c, h, w

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """A window of a shot, ``(3, h, w)``."""
        return self.pictures[shot][scene, :, rows, columns].float() / self.peak

    def stack(self, scenes: Sequence[int], shot: int, device: torch.device) -> Tensor:
        """Whole shots of many scenes, ``(n, 3, H, W)``: what ``read`` gives, in a few operations."""
        pictures = self.pictures[shot]
        index = torch.tensor(scenes, device=pictures.device)
        return pictures[index].to(device).float() / self.peak


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
        self.corruption, self.config = _corruption(scenes, config), config
        for scene in range(len(scenes)):
            if scenes.shots(scene) < SHOTS[self.kind]:
                got = f"scene {scene} has {scenes.shots(scene)} shots"
                raise DataError(f"{got}, expected at least {SHOTS[self.kind]} of kind {self.kind!r}")

    def windows(self, crop: int) -> Windows:
        """Windows that give crops of side ``crop``."""
        block = self.corruption.block if isinstance(self.corruption, PointSampling) else 1
        return Windows(crop, block, multiple=2 if self.kind == "single" else block)

    def draw(self, scene: int, rows: slice, columns: slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """A noisy picture and its target, ``(3, h, w)``; of a single picture, that picture twice."""
        if self.kind in ("pairs", "bursts"):
            first, second = self._shots(scene, generator)
            return self._read(scene, first, rows, columns), self._read(scene, second, rows, columns)
        picture = self._read(scene, 0, rows, columns)
        if self.corruption is None:
            return picture, picture
        return self._corrupted(picture, self.corruption, generator)

    def _corrupted(
        self, picture: Tensor, corruption: Corruption, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """A noisy copy of a clean picture, and its target."""
        grey = self._happens(self.config.grey, generator)
        picture = picture.mean(0, keepdim=True) if grey else picture
        level = corruption.draw(generator) if isinstance(corruption, Blind) else corruption
        noisy = level(picture, generator)
        target = level(picture, generator) if self.config.targets == "noisy" else level.clean(picture)
        if self._happens(self.config.rounded, generator):
            noisy = to_bytes(noisy).float() / 255
        return (noisy.expand(3, -1, -1), target.expand(3, -1, -1)) if grey else (noisy, target)

    def _happens(self, share: float, generator: Generator) -> bool:
        """True with probability ``share``; nothing is drawn where that is 0."""
        return share > 0 and bool(torch.rand((), generator=generator) < share)

    def _shots(self, scene: int, generator: Generator) -> tuple[int, int]:
        if self.kind == "pairs":
            return 0, 1
        count = self.scenes.shots(scene)
        first = randint(count, generator)
        return first, (first + 1 + randint(count - 1, generator)) % count

    def _read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        return self.scenes.read(scene, shot, rows, columns)


class Sampler:
    """Batches of crops from the ``chosen`` scenes, as ``config`` says.

    An epoch is a number of crops. Where every picture fits in one, it is every scene once, of
    bursts once for every two shots. Else scenes have shares by their pixels, and the crops are
    those that it takes to cover all pictures once, but ``CROPS_PER_EPOCH``, unless the recipe says
    how many.
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
        """A crop of each scene, swapped and augmented as the recipe says, padded to fit."""
        noisy, target = self._draw(scenes, generator)
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
        pairs = [self._crop(scene, generator) for scene in scenes]
        noisy, target = (_collate(pictures).to(self.device) for pictures in zip(*pairs, strict=True))
        return noisy, target

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
    return int(torch.randint(count, (), generator=generator))


def _coins(batch: Tensor, generator: Generator) -> Tensor:
    """One fair coin an image, ``(N, 1, 1, 1)``."""
    return (torch.rand(len(batch), 1, 1, 1, generator=generator) < 0.5).to(batch.device)


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
    return None if description is None else recipe.corruption(description)
