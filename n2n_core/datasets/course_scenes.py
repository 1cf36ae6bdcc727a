"""Noisy pairs made from photos by the course's rule, drawn afresh for each batch.

The crop, the block size and the pixel of each block are random, so a photo gives a different noisy
pair each time, and training never sees the same pair twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from n2n_core.datasets.course_rule import CourseRule
from n2n_core.datasets.packed_images import PackedImages, random_below
from n2n_core.models import weights


class CourseScenes:
    """Photos whose shots are drawn by a ``CourseRule``. Each photo is a scene.

    Args:
        photos: ``(3, H, W)`` floats in [0, 1], large enough for one crop.
        rule: how a photo becomes small pictures.
    """

    kind = "pairs"
    corruption: dict[str, Any] | None = None

    def __init__(self, photos: Iterable[Tensor], rule: CourseRule) -> None:
        self.images, self.rule = PackedImages(photos), rule

    @classmethod
    def of(cls, photos: Iterable[Path], rule: CourseRule) -> CourseScenes:
        """Read the photos from files."""
        return cls((rule.open(path) for path in photos), rule)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the photos and the rule."""
        rule = torch.tensor([self.rule.size, self.rule.min_block])
        return weights.fingerprint(self.images.values, self.images.heights, self.images.widths, rule)

    def __len__(self) -> int:
        return len(self.images)

    def shots(self, scene: int) -> int:
        """Return 2: shots are drawn in pairs."""
        return 2

    def shape(self, scene: int) -> tuple[int, int, int]:
        """Return ``(3, size, size)``, the same for all scenes."""
        return 3, self.rule.size, self.rule.size

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """Return a window of a shot, ``(3, h, w)``. The same arguments always give the same values."""
        device = self.images.values.device
        drawn = self.draw([scene], Generator(device).manual_seed(scene), device, self.rule.size)[shot]
        return drawn[0, :, rows, columns]

    def draw(
        self, scenes: Sequence[int], generator: Generator, device: torch.device, crop: int
    ) -> tuple[Tensor, Tensor]:
        """Draw two new shots of each scene, ``(N, 3, size, size)`` float32 on ``device``, never cropped."""
        if self.images.values.device != device:
            self.images = self.images.to(device)
        images = self.images
        index = torch.tensor(scenes, device=device)
        heights, widths = images.heights[index], images.widths[index]
        largest = torch.minimum(heights, widths) // self.rule.size
        blocks = self.rule.min_block + random_below(largest - self.rule.min_block + 1, generator)
        top, left = (
            random_below(side - blocks * self.rule.size + 1, generator) for side in (heights, widths)
        )
        steps = torch.arange(self.rule.size, device=device)
        rows, columns = steps.view(1, -1, 1), steps.view(1, 1, -1)
        block = blocks.view(-1, 1, 1).expand(-1, self.rule.size, self.rule.size)
        shots = [
            images.read(
                index,
                top.view(-1, 1, 1) + rows * block + random_below(block, generator),
                left.view(-1, 1, 1) + columns * block + random_below(block, generator),
            )
            for _ in range(2)
        ]
        return shots[0], shots[1]
