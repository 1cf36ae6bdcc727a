"""Stacks of image pairs, and the course's file format for them, read without running its pickled code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from n2n_core.errors import DataError
from n2n_core.files import atomic_path

EXPECTED = "expected a file of two tensors, made by torch.save"


class Pairs(NamedTuple):
    """Two aligned stacks of images, ``(N, C, H, W)`` uint8.

    For training both are noisy; for validation ``target`` is clean.
    """

    input: Tensor
    target: Tensor

    def take(self, count: int) -> Pairs:
        """The first ``count`` pairs."""
        return Pairs(self.input[:count], self.target[:count])


def load_pairs(path: str | Path) -> Pairs:
    """Read a file of the course's format: ``torch.save((first, second))``, ``(N, C, H, W)`` uint8.

    Only tensors are unpickled, so a file that carries code is refused, not run.

    Raises:
        DataError: the file is missing, truncated, not of this format, or of unequal shapes.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file, {EXPECTED}") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder, {EXPECTED}") from error
    except Exception as error:  # damaged files make torch.load raise nearly anything
        raise DataError(
            f"{path}: not a readable file of two tensors (damaged, or not made by torch.save)"
        ) from error
    return check_pairs(loaded, str(path))


def check_pairs(value: object, name: str = "pairs") -> Pairs:
    """``value`` as ``Pairs``, or a ``DataError`` that says what is wrong with it."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        kind = type(value).__name__ + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")
        raise DataError(f"{name}: holds a {kind}, expected a tuple of two tensors")
    for index, tensor in enumerate(value):
        if not isinstance(tensor, Tensor):
            raise DataError(f"{name}[{index}]: is a {type(tensor).__name__}, expected a tensor")
        if tensor.dtype != torch.uint8:
            raise DataError(f"{name}[{index}]: dtype is {tensor.dtype}, expected torch.uint8")
        if tensor.dim() != 4 or 0 in tensor.shape:
            raise DataError(f"{name}[{index}]: shape is {tuple(tensor.shape)}, expected (N, C, H, W)")
    if value[0].shape != value[1].shape:
        shapes = f"{tuple(value[0].shape)} and {tuple(value[1].shape)}"
        raise DataError(f"{name}: shapes are {shapes}, expected equal ones")
    return Pairs(value[0], value[1])


def save_pairs(path: Path, pairs: Pairs) -> None:
    """Write the course's format, wholly or not at all."""
    with atomic_path(path) as temporary:
        torch.save(tuple(pairs), temporary)
