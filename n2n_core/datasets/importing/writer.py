"""Scenes to stacks, a few at a time: nothing is held in memory but what is being written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from n2n_core.datasets.dataset import FORMAT, MANIFEST, Dataset, Stack, fingerprint, stack_file
from n2n_core.datasets.importing.pictures import Array
from n2n_core.errors import DataError, LimitError

SHOWN = 5
"""How many of the files that are no pictures are kept by name."""

Key = tuple[tuple[int, ...], str]
"""Shape of a scene and type of its values: what scenes of one stack share."""


@dataclass
class _Growing:
    """A stack that is being written."""

    path: Path
    key: Key
    names: list[str] = field(default_factory=list)
    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def header(self, file: IO[bytes]) -> None:
        """Write the header; numpy leaves room in it for the first axis to grow."""
        shape, dtype = self.key
        header = {"descr": np.dtype(dtype).newbyteorder("<").str, "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, header | {"shape": (self.count, *shape)})

    def append(self, scenes: Array, names: Sequence[str]) -> None:
        """``scenes`` is ``(n, S, C, H, W)``."""
        values = np.ascontiguousarray(scenes)
        with self.path.open("ab") as file:
            if not self.count:
                self.header(file)
            file.write(values.data)
        self.digest.update(values.data)
        self.count += len(values)
        self.names += names

    def finish(self) -> Stack:
        """Correct the header's count."""
        with self.path.open("r+b") as file:
            self.header(file)
        shape, dtype = self.key
        names = self.names if len(self.names) == self.count else ()
        return Stack((self.count, *shape), dtype, self.digest.hexdigest(), tuple(names))  # type: ignore[arg-type]


class Writer:
    """Writes a dataset into ``folder``, which exists.

    Args:
        folder: where the files go.
        most: bytes that the stacks may take together.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most, self.written = folder, most, 0
        self.stacks: dict[Key, _Growing] = {}

    def add(self, scenes: Array, names: Sequence[str] = ()) -> None:
        """Append scenes of equal shape, ``(n, S, C, H, W)``, of one of the stored types.

        Raises:
            LimitError: the dataset would become larger than allowed.
        """
        self.written += scenes.nbytes
        if self.written > self.most:
            detail = f"the pictures take more than the {self.most} bytes allowed for a dataset"
            raise LimitError("total_bytes", detail)
        key = (scenes.shape[1:], scenes.dtype.name)
        if key not in self.stacks:
            self.stacks[key] = _Growing(self.folder / stack_file(len(self.stacks)), key)
        self.stacks[key].append(scenes, names)

    def finish(
        self,
        kind: str,
        name: str,
        source: str,
        corruption: dict[str, Any] | None,
        left_out: Sequence[str] = (),
    ) -> Dataset:
        """Write the manifest, and see that the result can be opened.

        Args:
            kind: see ``KINDS``.
            name: of the dataset.
            source: of what it was made.
            corruption: for clean pictures.
            left_out: the names of files in the source that are no pictures.
        """
        if not self.stacks:
            raise DataError(f"{source}: no pictures, expected at least one scene")
        stacks = [growing.finish() for growing in self.stacks.values()]
        manifest = {
            "format": FORMAT, "kind": kind, "name": name, "source": source, "corruption": corruption,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "scenes": sum(stack.shape[0] for stack in stacks),
            "pictures": sum(stack.shape[0] * stack.shape[1] for stack in stacks),
            "fingerprint": fingerprint(kind, corruption, stacks),
            "left_out": {"count": len(left_out), "names": list(left_out[:SHOWN])},
            "stacks": [asdict(stack) for stack in stacks],
        }  # fmt: skip
        (self.folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        return Dataset.open(self.folder)
