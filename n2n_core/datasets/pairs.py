"""Stacks of image pairs, and the course's file format for them, read without running pickled code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from n2n_core.datasets import pickled
from n2n_core.errors import DataError
from n2n_core.files import atomic_path

EXPECTED = "expected a file of two tensors, made by torch.save"
SHOWN = 200
"""Characters of torch's own reasons that errors show."""


class Pairs(NamedTuple):
    """Two aligned stacks of images, ``(N, C, H, W)`` uint8.

    Both are noisy in training data. In validation data ``target`` is clean.
    """

    input: Tensor
    target: Tensor

    def take(self, count: int) -> Pairs:
        """Return the first ``count`` pairs."""
        return Pairs(self.input[:count], self.target[:count])


def load_pairs(path: str | Path) -> Pairs:
    """Read a file of the course's format: ``torch.save((first, second))``, ``(N, C, H, W)`` uint8.

    Only tensors are unpickled. A file that contains code is refused, and the code is not run.

    Raises:
        DataError: the file is missing, truncated, of another format, or its tensors differ in shape.
    """
    try:
        pickled.check(Path(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file, {EXPECTED}") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder, {EXPECTED}") from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make torch.load raise nearly anything
        reason = f"damaged, or not made by torch.save: {' '.join(str(error).split())[:SHOWN]}"
        raise DataError(f"{path}: not a readable file of two tensors ({reason})") from error
    return check_pairs(loaded, str(path))


def check_pairs(value: object, name: str = "pairs") -> Pairs:
    """Return ``value`` as ``Pairs``, or raise ``DataError``: it is not two uint8 tensors of equal shape."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        kind = type(value).__name__ + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")
        raise DataError(f"{name}: contains a {kind}, expected a tuple of two tensors")
    for index, tensor in enumerate(value):
        if not isinstance(tensor, Tensor):
            raise DataError(f"{name}[{index}]: is a {type(tensor).__name__}, expected a tensor")
        if tensor.is_nested or tensor.is_meta or tensor.layout != torch.strided:
            raise DataError(f"{name}[{index}]: is sparse, nested or without values, expected a plain tensor")
        if tensor.dtype != torch.uint8:
            raise DataError(f"{name}[{index}]: dtype is {tensor.dtype}, expected torch.uint8")
        if tensor.dim() != 4 or 0 in tensor.shape:
            raise DataError(f"{name}[{index}]: shape is {tuple(tensor.shape)}, expected (N, C, H, W)")
        if tensor.nbytes > (held := tensor.untyped_storage().nbytes()):
            got = f"shape is {tuple(tensor.shape)}, but it holds {held} bytes"
            raise DataError(f"{name}[{index}]: {got}, expected all values, without repetition")
    if value[0].shape != value[1].shape:
        shapes = f"{tuple(value[0].shape)} and {tuple(value[1].shape)}"
        raise DataError(f"{name}: shapes are {shapes}, expected equal shapes")
    return Pairs(value[0], value[1])


def save_pairs(path: Path, pairs: Pairs) -> None:
    """Write ``pairs`` in the course's format, atomically."""
    with atomic_path(path) as temporary:
        torch.save(tuple(pairs), temporary)
