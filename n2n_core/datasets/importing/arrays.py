"""Import of arrays: the course's ``.pkl`` and NumPy's ``.npz``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from n2n_core.datasets.importing.archives import Limits, unpack
from n2n_core.datasets.importing.pictures import Array, to_stored
from n2n_core.datasets.pairs import load_pairs
from n2n_core.errors import DataError, LimitError

ARRAYS = {
    "pairs": (("first", "second"), ("noisy1", "noisy2"), ("input", "target"), ("noisy", "clean")),
    "bursts": (("shots",),),
    "single": (("images",),),
    "clean": (("images",),),
}
"""Names of the arrays in an ``.npz`` of each kind. Any one of the alternatives will do."""

LAYOUT = "(N, C, H, W), (N, H, W, C) or (N, H, W), with C 1 or 3"
BATCH_BYTES = 2**24
SHOWN = 200
"""Characters of NumPy's reasons that errors show. Some quote the whole header."""


def read_pkl(path: Path, kind: str, limits: Limits, data_range: float | None) -> Iterator[Array]:
    """Yield batches of scenes ``(n, 2, C, H, W)``. A file that contains code is refused, and not run."""
    if kind != "pairs":
        raise DataError(f"{path.name}: kind is {kind!r}, expected 'pairs' for a .pkl file")
    pairs = load_pairs(path)
    if pairs.input.shape[1] not in (1, 3):
        raise DataError(
            f"{path.name}: shape is {tuple(pairs.input.shape)}, expected (N, C, H, W) with C 1 or 3"
        )
    yield from batches([tensor.numpy() for tensor in pairs], path.name, limits, data_range)


def read_npz(
    path: Path, kind: str, folder: Path, limits: Limits, data_range: float | None
) -> Iterator[Array]:
    """Yield batches of scenes ``(n, S, C, H, W)``. The file is unpacked to ``folder`` and memory-mapped."""
    members = {member.name.removesuffix(".npy"): member.path for member in unpack(path, folder, limits)}
    for names in ARRAYS[kind]:
        if set(names) <= set(members):
            shots = [_load(members[name], f"{path.name}: {name}") for name in names]
            break
    else:
        expected = " or ".join("+".join(names) for names in ARRAYS[kind])
        got = ", ".join(sorted(members)[:8]) or "nothing"
        raise DataError(f"{path.name}: contains {got}, expected the arrays {expected} for kind {kind!r}")
    if kind == "bursts":
        shots = _burst_shots(shots[0], path.name, limits)
    yield from batches([_channels_first(shot, path.name) for shot in shots], path.name, limits, data_range)


def batches(shots: Sequence[Array], name: str, limits: Limits, data_range: float | None) -> Iterator[Array]:
    """Yield a few scenes at a time from arrays ``(N, C, H, W)``, one for each shot."""
    height, width = shots[0].shape[-2:]
    if height * width > limits.pixels:
        raise LimitError(
            "pixels", f"{name}: pictures are {width} x {height}, expected at most {limits.pixels} pixels"
        )
    if len({(shot.shape, shot.dtype) for shot in shots}) > 1:
        got = " and ".join(f"{shot.dtype} {shot.shape}" for shot in shots)
        raise DataError(f"{name}: the arrays are {got}, expected equal shapes and types")
    scene_bytes = max(sum(shot[:1].nbytes for shot in shots), 1)
    step = max(BATCH_BYTES // scene_bytes, 1)
    for start in range(0, len(shots[0]), step):
        scenes = np.stack([shot[start : start + step] for shot in shots], axis=1)
        yield to_stored(scenes, name, data_range)


def _load(path: Path, name: str) -> Array:
    try:
        values: Array = np.lib.format.open_memmap(path, mode="r")  # never a pickle, nor another archive
    except Exception as error:  # the header is a Python literal: a deep one is a MemoryError, too
        raise DataError(f"{name}: not an array of numbers ({str(error)[:SHOWN]})") from error
    if 0 in values.shape:
        raise DataError(f"{name}: shape is {values.shape}, expected {LAYOUT}")
    return values


def _burst_shots(values: Array, name: str, limits: Limits) -> list[Array]:
    """Split ``(N, S, ...)`` into S arrays ``(N, ...)``."""
    if values.ndim not in (4, 5) or values.shape[1] < 2:
        raise DataError(f"{name}: shape is {values.shape}, expected (N, S, C, H, W) with S at least 2")
    if values.shape[1] > limits.frames:
        raise LimitError("frames", f"{name}: {values.shape[1]} shots, expected at most {limits.frames}")
    return list(values.swapaxes(0, 1))


def _channels_first(values: Array, name: str) -> Array:
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 4 and values.shape[1] in (1, 3):
        return values
    if values.ndim == 4 and values.shape[3] in (1, 3):
        return values.transpose(0, 3, 1, 2)
    raise DataError(f"{name}: shape is {values.shape}, expected {LAYOUT}")
