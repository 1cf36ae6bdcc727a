"""Writes scenes into stacks, a few at a time, so that only these are in memory."""

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
"""Number of left-out files whose names go into the manifest."""

Key = tuple[tuple[int, ...], str]
"""Shape ``(S, C, H, W)`` and data type, which all scenes of a stack share."""


@dataclass
class _Growing:
    """A stack that is being written."""

    path: Path
    key: Key
    names: list[str] = field(default_factory=list)
    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def header(self, file: IO[bytes]) -> None:
        """Write the header, in which NumPy leaves room for a larger first axis."""
        shape, dtype = self.key
        header = {"descr": np.dtype(dtype).newbyteorder("<").str, "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, header | {"shape": (self.count, *shape)})

    def append(self, scenes: Array, names: Sequence[str]) -> None:
        """Append ``scenes``, ``(n, S, C, H, W)``, to the file."""
        values = np.ascontiguousarray(scenes)
        with self.path.open("ab") as file:
            if not self.count:
                self.header(file)
            file.write(values.data)
        self.digest.update(values.data)
        self.count += len(values)
        self.names += names

    def finish(self) -> Stack:
        """Write the final count into the header, and return the stack."""
        with self.path.open("r+b") as file:
            self.header(file)
        shape, dtype = self.key
        names = self.names if len(self.names) == self.count else ()
        return Stack((self.count, *shape), dtype, self.digest.hexdigest(), tuple(names))  # type: ignore[arg-type]


class DatasetWriter:
    """Writes a dataset into an existing folder.

    Args:
        folder: folder of the dataset.
        most: most bytes that all stacks may take together.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most, self.written = folder, most, 0
        self.stacks: dict[Key, _Growing] = {}

    def add(self, scenes: Array, names: Sequence[str] = ()) -> None:
        """Append scenes of equal shape, ``(n, S, C, H, W)``, in one of the stored data types.

        Raises:
            LimitError: the dataset would exceed its limit.
        """
        self.written += scenes.nbytes
        if self.written > self.most:
            detail = f"the pictures take more than {self.most} bytes, the largest size of a dataset"
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
        """Write the manifest, and return the dataset after checking that it can be opened.

        Args:
            kind: one of ``KINDS``.
            name: name of the dataset.
            source: names of the files that it was made from.
            corruption: noise to add to clean pictures.
            left_out: names of files in the source that are not pictures.
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
