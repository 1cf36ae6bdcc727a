"""Noisy pairs by the course's rule, made anew each time that one is asked for.

A photo that was divided into blocks gives other pairs at each draw: of crop, of block and of the
pixels in the blocks. So there are as many pairs as steps to learn from them, all noisy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from n2n_core.datasets.course_rule import CourseRule
from n2n_core.datasets.packed_images import Album, below
from n2n_core.models import weights


class CourseScenes:
    """Photos, a scene each, whose shots are drawn by ``rule`` (``course_rule.CourseRule``).

    Args:
        photos: ``(3, H, W)`` floats in [0, 1], large enough for one crop.
        rule: how a photo becomes a small picture.
    """

    kind = "pairs"
    corruption: dict[str, Any] | None = None

    def __init__(self, photos: Iterable[Tensor], rule: CourseRule) -> None:
        self.album, self.rule = Album(photos), rule

    @classmethod
    def of(cls, photos: Iterable[Path], rule: CourseRule) -> CourseScenes:
        """Those in files."""
        return cls((rule.open(path) for path in photos), rule)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the photos and the rule."""
        rule = torch.tensor([self.rule.size, self.rule.min_block])
        return weights.fingerprint(self.album.values, self.album.heights, self.album.widths, rule)

    def __len__(self) -> int:
        return len(self.album)

    def shots(self, scene: int) -> int:
        """Two at a time, of any number."""
        return 2

    def shape(self, scene: int) -> tuple[int, int, int]:
        """The same for all scenes."""
        return 3, self.rule.size, self.rule.size

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """A window of a shot, ``(3, h, w)``, always the same."""
        device = self.album.values.device
        drawn = self.draw([scene], Generator(device).manual_seed(scene), device, self.rule.size)[shot]
        return drawn[0, :, rows, columns]

    def draw(
        self, scenes: Sequence[int], generator: Generator, device: torch.device, crop: int
    ) -> tuple[Tensor, Tensor]:
        """Draw two new shots of each scene, ``(N, 3, size, size)`` float32 on ``device``, never cropped."""
        if self.album.values.device != device:
            self.album = self.album.to(device)
        album = self.album
        index = torch.tensor(scenes, device=device)
        heights, widths = album.heights[index], album.widths[index]
        largest = torch.minimum(heights, widths) // self.rule.size
        blocks = self.rule.min_block + below(largest - self.rule.min_block + 1, generator)
        top, left = (below(side - blocks * self.rule.size + 1, generator) for side in (heights, widths))
        steps = torch.arange(self.rule.size, device=device)
        rows, columns = steps.view(1, -1, 1), steps.view(1, 1, -1)
        block = blocks.view(-1, 1, 1).expand(-1, self.rule.size, self.rule.size)
        shots = [
            album.read(
                index,
                top.view(-1, 1, 1) + rows * block + below(block, generator),
                left.view(-1, 1, 1) + columns * block + below(block, generator),
            )
            for _ in range(2)
        ]
        return shots[0], shots[1]
