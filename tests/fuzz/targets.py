"""Fuzz targets: readers of clients' files. Each may raise our errors, and nothing else."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from n2n_core.datasets.importing.archives import Limits, unpack
from n2n_core.datasets.importing.importer import ImportOptions, import_dataset
from n2n_core.datasets.pairs import load_pairs
from n2n_core.errors import N2NError
from n2n_core.image import MEDIA_TYPES, decode, encode
from n2n_core.models import weights
from tests.fuzz.cost import Bound

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


def pairs(data: bytes) -> None:
    """Read a file of two tensors."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.pkl"
        path.write_bytes(data)
        for tensor in load_pairs(path):
            assert tensor.numpy().nbytes <= len(data)


def arrays(data: bytes) -> None:
    """Import a file of NumPy's arrays."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.npz"
        path.write_bytes(data)
        import_dataset(path, "pairs", Path(folder) / "made", options=ImportOptions(limits=LIMITS))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "image": image,
    "archive": archive,
    "weights": weights_file,
    "pairs": pairs,
    "arrays": arrays,
}
CORPUS = Path(__file__).parent / "corpus"
"""A folder for each target."""

BOUND = Bound(seconds=0.1, seconds_per_kilobyte=0.005, peak=16 * 2**20, peak_per_byte=64)
"""Most that a file may cost: ten times the time, and twice the memory, of the worst file of the corpus."""


def attempt(target: str, data: bytes) -> None:
    """Give ``data`` to the reader; errors of ours are what it may answer."""
    with suppress(N2NError):
        TARGETS[target](data)
