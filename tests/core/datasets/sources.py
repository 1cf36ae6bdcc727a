"""Pictures and archives for tests of datasets."""

from __future__ import annotations

import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]


def pixels(seed: int, channels: int = 3, height: int = 20, width: int = 24) -> NDArray[np.uint8]:
    """A random picture ``(C, H, W)``."""
    return np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)


def picture(values: Array, format: str = "png", **options: Any) -> bytes:
    """``(C, H, W)`` as a file."""
    buffer = BytesIO()
    layout = values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))
    Image.fromarray(layout).save(buffer, format.upper(), **options)
    return buffer.getvalue()


def pair_files(count: int = 3) -> dict[str, bytes]:
    """Two folders of equal names: scene i has the pictures of seeds 2 i and 2 i + 1."""
    return {
        f"noisy{shot + 1}/{scene}.png": picture(pixels(2 * scene + shot))
        for shot in range(2)
        for scene in range(count)
    }


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: Any = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    return path
