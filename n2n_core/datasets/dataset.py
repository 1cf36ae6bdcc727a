"""A dataset on disk: a manifest, and stacks of pictures that are memory-mapped."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from n2n_core.datasets.importing.naming import KINDS
from n2n_core.datasets.importing.pictures import DTYPES, Array
from n2n_core.errors import DataError, N2NError
from n2n_core.noise.corruptions import noise

MANIFEST = "manifest.json"
FORMAT = 1
ALL = slice(None)
OPEN_STACKS = 64
"""Stacks mapped at a time. Each takes a file descriptor."""


@dataclass(frozen=True)
class Stack:
    """Scenes of equal shape, stored in one file.

    Args:
        shape: ``(N, S, C, H, W)``: scenes, shots, channels, rows, columns.
        dtype: a key of ``DTYPES``.
        sha256: hash of the values.
        names: names of the scenes in the source, or none.
    """

    shape: tuple[int, int, int, int, int]
    dtype: str
    sha256: str
    names: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ``ValueError`` if the fields are inconsistent."""
        if len(self.shape) != 5 or not all(isinstance(n, int) and n > 0 for n in self.shape):
            raise ValueError(f"a stack's shape is {self.shape}, expected (N, S, C, H, W)")
        if self.dtype not in DTYPES or self.shape[2] not in (1, 3):
            raise ValueError(f"a stack is {self.dtype} {self.shape}, expected {', '.join(DTYPES)}; C 1 or 3")
        if self.names and len(self.names) != self.shape[0]:
            raise ValueError(f"a stack of {self.shape[0]} scenes has {len(self.names)} names")


class Dataset:
    """Scenes with one or more shots each. Only the parts that are read take memory.

    Args:
        folder: the dataset's folder.
        manifest: content of its ``manifest.json``, which ``open`` reads.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.kind: str = manifest["kind"]
        self.name: str = manifest["name"]
        self.corruption: dict[str, Any] | None = manifest["corruption"]
        left_out = manifest.get("left_out", {"count": 0, "names": []})  # older manifests lack it
        self.left_out: tuple[int, list[str]] = left_out["count"], left_out["names"]
        self.stacks = [
            Stack(tuple(s["shape"]), s["dtype"], s["sha256"], tuple(s["names"])) for s in manifest["stacks"]
        ]
        self._ends = list(accumulate(stack.shape[0] for stack in self.stacks))
        self._mapped: OrderedDict[int, Array] = OrderedDict()
        self._check()

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Open the dataset in ``folder``.

        Raises:
            DataError: there is no dataset, or its manifest does not match its files.
        """
        path = Path(folder) / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT:
                raise DataError(f"{path}: format is {manifest['format']!r}, expected {FORMAT}")
            return cls(Path(folder), manifest)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(f"{folder}: not a dataset, expected a folder with a {MANIFEST}") from error
        except DataError:
            raise
        except (ValueError, KeyError, TypeError, N2NError) as error:
            raise DataError(f"{path}: not the manifest of a dataset ({error})") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, (self.folder, self.manifest)  # without the mapped files

    def __len__(self) -> int:
        """Number of scenes."""
        return self._ends[-1]

    def shots(self, scene: int) -> int:
        """Return the number of shots of ``scene``."""
        return self.stacks[self._place(scene)[0]].shape[1]

    def shape(self, scene: int) -> tuple[int, int, int]:
        """Return ``(C, H, W)`` as stored, C being 1 or 3."""
        return self.stacks[self._place(scene)[0]].shape[2:]

    def scene_name(self, scene: int) -> str:
        """Return the name of ``scene`` in the source, or its number."""
        stack, row = self._place(scene)
        return self.stacks[stack].names[row] if self.stacks[stack].names else str(scene)

    def read(self, scene: int, shot: int, rows: slice = ALL, columns: slice = ALL) -> Tensor:
        """Read a shot or a window of it: ``(3, h, w)`` float32, nominally in [0, 1]; grey becomes RGB.

        Raises:
            IndexError: there is no such scene or shot.
        """
        stack, row = self._place(scene)
        if not 0 <= shot < self.stacks[stack].shape[1]:
            raise IndexError(f"shot is {shot}, expected 0 to {self.stacks[stack].shape[1] - 1}")
        part = self._map(stack)[row, shot, :, rows, columns]
        values = part.astype(np.float32, order="C")
        scale = DTYPES[self.stacks[stack].dtype]
        picture = torch.from_numpy(values if scale == 1 else values / np.float32(scale))
        return picture if len(picture) == 3 else picture.repeat(3, 1, 1)

    def draw(self, scenes: Sequence[int], generator: Generator, device: torch.device, crop: int) -> None:
        """Return None: scenes are read one by one."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the values, the kind and the corruption. Equal data have equal fingerprints."""
        return fingerprint(self.kind, self.corruption, self.stacks)

    def verify(self) -> None:
        """Read all values and compare their hashes with the manifest.

        Raises:
            DataError: a file was changed after the import.
        """
        for index, stack in enumerate(self.stacks):
            digest = hashlib.sha256()
            for scene in self._map(index):
                digest.update(np.ascontiguousarray(scene).data)
            if digest.hexdigest() != stack.sha256:
                raise DataError(f"{self.folder / stack_file(index)}: was changed after the import")

    def _place(self, scene: int) -> tuple[int, int]:
        """Return the index of the scene's stack, and its row there."""
        if not 0 <= scene < len(self):
            raise IndexError(f"scene is {scene}, expected 0 to {len(self) - 1}")
        stack = bisect_right(self._ends, scene)
        return stack, scene - (self._ends[stack] - self.stacks[stack].shape[0])

    def _map(self, index: int) -> Array:
        if index not in self._mapped:
            while len(self._mapped) >= OPEN_STACKS:
                self._mapped.popitem(last=False)
            self._mapped[index] = self._open_stack(index)
        self._mapped.move_to_end(index)
        return self._mapped[index]

    def _open_stack(self, index: int) -> Array:
        path, stack = self.folder / stack_file(index), self.stacks[index]
        try:
            values: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: cannot be read as an array ({error})") from error
        if (values.shape, values.dtype.name) != (stack.shape, stack.dtype):
            got = f"contains {values.dtype} {values.shape}"
            raise DataError(f"{path}: {got}, expected {stack.dtype} {stack.shape}")
        return values

    def _check(self) -> None:
        if self.kind not in KINDS or not self.stacks:
            raise ValueError(f"kind is {self.kind!r} with {len(self.stacks)} stacks")
        count, names = self.left_out
        if not isinstance(count, int) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"left_out is {count!r} files, {names!r}, expected a number and some names")
        for index, stack in enumerate(self.stacks):
            stack.check()
            if not (self.folder / stack_file(index)).is_file():
                raise DataError(f"{self.folder / stack_file(index)}: is missing")
        if self.corruption is not None:
            noise(**self.corruption)


def stack_file(index: int) -> str:
    """Return the file name of a stack."""
    return f"stack-{index:03d}.npy"


def fingerprint(kind: str, corruption: dict[str, Any] | None, stacks: list[Stack]) -> str:
    """Return the SHA-256 of a dataset's content. Its name and creation time do not matter."""
    content = [kind, corruption, [[stack.shape, stack.dtype, stack.sha256] for stack in stacks]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
