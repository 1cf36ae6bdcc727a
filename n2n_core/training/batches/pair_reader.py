"""Reads a noisy picture and its target from scenes of any kind.

``pairs`` have two noisy shots of a scene; ``bursts`` have several, of which any two make a pair;
``single`` is one noisy picture, which Neighbor2Neighbor divides; ``clean`` are pictures that get noise,
anew for each crop.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from n2n_core.datasets.scenes import SHOTS, Scenes
from n2n_core.errors import ConfigError, DataError
from n2n_core.noise.corruptions import Corruption, PointSampling
from n2n_core.training.batches.crop_windows import CropWindows, randint
from n2n_core.training.batches.noisy_copies import NoisyCopies
from n2n_core.training.config import TrainConfig, corruption


class PairReader:
    """Reads pairs from ``scenes``, according to their kind.

    Raises:
        ConfigError: clean pictures without a corruption, or others with one.
        DataError: an unknown kind, or a scene with too few shots.
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

    def windows(self, crop: int) -> CropWindows:
        """Return the windows that give crops of side ``crop``."""
        block = self.corruption.block if isinstance(self.corruption, PointSampling) else 1
        return CropWindows(crop, block, multiple=2 if self.kind == "single" else block)

    def draw(self, scene: int, rows: slice, columns: slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return a noisy picture and its target, ``(3, h, w)``, the same one if there is one shot."""
        first, *others = (
            self.scenes.read(scene, shot, rows, columns) for shot in self._shots(scene, generator)
        )
        if not others:
            return first, first
        return first, others[0] if len(others) == 1 else torch.stack(others).mean(0)

    def averaged(self, scene: int) -> int:
        """Return how many shots a target is the mean of."""
        return min(self.target_copies, self.scenes.shots(scene) - 1) if self.kind == "bursts" else 1

    def pairs(self, scene: int) -> int:
        """Return how many disjoint pairs the shots of a scene make."""
        return self.scenes.shots(scene) // 2 if self.kind == "bursts" else 1

    def _shots(self, scene: int, generator: Generator) -> list[int]:
        """Return the input's shot, and those that the target is the mean of, if there are others."""
        if self.kind != "bursts":
            return list(range(SHOTS[self.kind]))
        count = self.scenes.shots(scene)
        first = randint(count, generator)
        if (averaged := self.averaged(scene)) == 1:
            steps = [randint(count - 1, generator)]
        else:
            order = torch.randperm(count - 1, generator=generator, device=generator.device)
            steps = order[:averaged].tolist()
        return [first, *((first + 1 + step) % count for step in steps)]


def _corruption(scenes: Scenes, config: TrainConfig) -> Corruption | None:
    description = config.corruption or (scenes.corruption if scenes.kind == "clean" else None)
    if (scenes.kind == "clean") != (description is not None):
        expected = "that of the noise to add to clean pictures" if scenes.kind == "clean" else "none"
        raise ConfigError(
            f"corruption is {description}, expected {expected}: the data's kind is {scenes.kind!r}"
        )
    return None if description is None else corruption(description)
