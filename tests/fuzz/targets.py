"""Fuzz targets: readers of clients' files. Each may raise our errors, and nothing else."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from n2n_core.datasets.importing.archives import Limits, unpack
from n2n_core.errors import N2NError
from n2n_core.image import MEDIA_TYPES, decode, encode
from n2n_core.models import weights

MAX_PIXELS = 2**16
LIMITS = Limits(members=100, total_bytes=2**22, pixels=MAX_PIXELS)


def image(data: bytes) -> None:
    """Read a picture; what was read can be written in some format, and read again as it was."""
    picture = decode(data, MAX_PIXELS)
    for format in MEDIA_TYPES:
        with suppress(N2NError):  # not each format holds each picture
            again = decode(encode(picture, format), MAX_PIXELS)
            assert again.colour.shape[-2:] == picture.colour.shape[-2:]


def archive(data: bytes) -> None:
    """Unpack an archive; nothing lies outside of the folder, and no more than is allowed inside."""
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "archive", Path(folder) / "target"
        path.write_bytes(data)
        target.mkdir()
        try:
            unpack(path, target, LIMITS)
        finally:
            files = list(target.iterdir())
            assert {file.name for file in Path(folder).iterdir()} == {"archive", "target"}
            assert all(file.is_file() and not file.is_symlink() for file in files)
            assert sum(file.stat().st_size for file in files) <= LIMITS.total_bytes


def weights_file(data: bytes) -> None:
    """Read a weights file's card, and rebuild its model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.safetensors"
        path.write_bytes(data)
        weights.read_card(path)
        weights.count_values(path)
        weights.load(path)


TARGETS: dict[str, Callable[[bytes], None]] = {"image": image, "archive": archive, "weights": weights_file}
CORPUS = Path(__file__).parent / "corpus"
"""A folder for each target."""


def attempt(target: str, data: bytes) -> None:
    """Give ``data`` to the reader; errors of ours are what it may answer."""
    with suppress(N2NError):
        TARGETS[target](data)
