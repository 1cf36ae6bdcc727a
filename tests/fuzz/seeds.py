"""Write the seed files of the corpus: ``python -m tests.fuzz.seeds``."""

import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Generator

from n2n_core.models import architectures, weights
from n2n_core.models.weights import Card
from tests.fuzz.targets import CORPUS
from tests.hostile import slow_archives as hostile_tars
from tests.hostile import slow_pictures
from tests.hostile.bombs import chunk
from tests.hostile.slow_pictures import (
    MEBIBYTE,
    ORIENTED,
    jpeg,
    jpeg_with,
    nested,
    overlapping,
    png_with,
    run_lengths,
    tiff_data,
)
from tests.pictures import drawn, file

SIZE: dict[str, Any] = {"width": 7, "height": 5}
ARCHITECTURES: dict[str, architectures.Architecture] = {
    "auto_encoder": architectures.AutoEncoder((4, 3), skip=False),
    "skip": architectures.AutoEncoder((2, 2, 2, 3)),
    "strided": architectures.StridedAutoEncoder(hidden=2),
    "unet": architectures.UNet((2, 2), (1, 1)),
}


def images() -> Iterator[tuple[str, bytes]]:
    """Each format, in each kind of pixels that it has, with metadata."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    kept = {"exif": exif.tobytes(), "icc_profile": b"\0" * 132}
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield f"{mode.replace(';', '')}.png", file(drawn(mode, **SIZE), "png")
        if mode not in ("LA", "P"):
            yield f"{mode.replace(';', '')}.tiff", file(drawn(mode, **SIZE), "tiff")
    for mode in ("L", "RGB", "CMYK"):
        yield f"{mode}.jpeg", file(drawn(mode, **SIZE), "jpeg")
    for mode in ("1", "L", "P", "RGB"):
        yield f"{mode}.bmp", file(drawn(mode, **SIZE), "bmp")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{compression}.tiff", file(drawn(**SIZE), "tiff", compression=compression)
    for lossless in (True, False):
        yield f"lossless-{lossless}.webp", file(drawn("RGBA", **SIZE), "webp", lossless=lossless)
    for format in ("png", "jpeg", "webp", "tiff"):
        yield f"metadata.{format}", file(drawn(**SIZE), format, dpi=(72, 72), **kept)
    yield "transparent.png", file(drawn(**SIZE), "png", transparency=(1, 2, 3))
    yield "float.tiff", file(Image.fromarray(np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)), "tiff")
    for format in ("png", "webp", "tiff"):
        frames = {"save_all": True, "append_images": [drawn(**SIZE, seed=1)]}
        yield f"frames.{format}", file(drawn(**SIZE), format, **frames)


def archives() -> Iterator[tuple[str, bytes]]:
    """ZIP and TAR in each compression, with folders, and with names and kinds that are refused."""
    names = ("a/scene_0.png", "a/scene_1.png", "b/.hidden", "ä ö.txt")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as written:
            written.writestr("a/", "")
            for name in names:
                written.writestr(name, name * 3)
        yield f"{method}.zip", buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written, written.open("big", "w", force_zip64=True) as member:
        member.write(b"zip64")
    yield "zip64.zip", buffer.getvalue()
    for kind in ("", "gz", "bz2", "xz"):
        for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            buffer = io.BytesIO()
            with tarfile.open(None, f"w:{kind}", buffer, format=format) as tar:  # type: ignore[call-overload]
                for name in (*names, "n" * 120):
                    info = tarfile.TarInfo(name)
                    info.size = len(name)
                    tar.addfile(info, io.BytesIO(name.encode("latin-1")[: len(name)]))
            yield f"{format}.tar{kind and '.' + kind}", buffer.getvalue()
    for type, bad in ((tarfile.SYMTYPE, "link"), (tarfile.FIFOTYPE, "fifo"), (tarfile.REGTYPE, "../out")):
        buffer = io.BytesIO()
        with tarfile.open(None, "w", buffer) as tar:
            info = tarfile.TarInfo(bad)
            info.type, info.linkname = type, "/etc/passwd"
            tar.addfile(info)
        yield f"{Path(bad).name}.tar", buffer.getvalue()
    yield "padded.tar.xz", lzma.compress(b"x") + bytes(8) + lzma.compress(b"y")


def weights_files() -> Iterator[tuple[str, bytes]]:
    """A small model of each family, and what is almost one."""
    for name, architecture in ARCHITECTURES.items():
        path = CORPUS / "weights" / "new.safetensors"
        network = architecture.build(Generator().manual_seed(0))
        card = Card(architectures.describe(architecture), {"steps": 1}, {"count": 2}, {"psnr": 30.0}, "CC0")
        weights.save(path, network, card)
        yield f"{name}.safetensors", path.read_bytes()
        path.unlink()
    yield "empty.safetensors", (2).to_bytes(8, "little") + b"{}"
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 4]}}).encode()
    yield "huge.safetensors", len(header).to_bytes(8, "little") + header + bytes(4)


def slow_images() -> Iterator[tuple[str, bytes]]:
    """Small files that took seconds, or a thousand times their size, before they were refused."""
    yield "white-space-in-xmp.png", slow_pictures.SPACES
    yield "white-space-in-xmp.jpeg", jpeg_with(tiff_data(ORIENTED), b" " * 20_000)
    yield "nested-directories.jpeg", jpeg_with(nested(90, 900))
    yield "overlapping-pages.tiff", overlapping(200, 600)
    yield "many-profiles.png", png_with(*[chunk(b"iCCP", MEBIBYTE)] * 5)
    yield "many-texts.png", png_with(*[chunk(b"zTXt", b"%d" % number + MEBIBYTE[1:]) for number in range(5)])
    yield "fill.jpeg", jpeg(b"\xff" * 10_000)
    yield "run-lengths.bmp", run_lengths(2**16, 1, b"\1\7\0\0")


def pair_files() -> Iterator[tuple[str, bytes]]:
    """In both formats of torch: pairs, and what asks for more than it holds."""
    values = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    once = values[:1, :1, :1, :1].expand(1000, 3, 256, 256)
    sparse = values.to_sparse()
    kinds = {"pairs": (values, values), "repeated": (once, once), "sparse": (sparse, sparse)}
    for name, value in kinds.items():
        for new in (True, False) if name != "sparse" else (True,):
            buffer = io.BytesIO()
            torch.save(value, buffer, _use_new_zipfile_serialization=new)
            yield f"{name}-{'zip' if new else 'legacy'}.pt", buffer.getvalue()


def array_files() -> Iterator[tuple[str, bytes]]:
    """Arrays of each kind of values, and an archive in an archive."""
    inner = b""
    for kind in ("u1", "<u2", "<f4", ">f8", "?"):
        buffer = io.BytesIO()
        pair = {"first": np.zeros((2, 3, 4, 4), kind), "second": np.ones((2, 3, 4, 4), kind)}
        np.savez_compressed(buffer, **pair)  # type: ignore[arg-type]
        inner = buffer.getvalue()
        yield f"{kind.strip('<>').replace('?', 'bool')}.npz", inner
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        written.writestr("first.npy", inner)
        written.writestr("second.npy", inner)
    yield "nested.npz", buffer.getvalue()


def slow_archives() -> Iterator[tuple[str, bytes]]:
    """TARs whose headers took ``tarfile`` long, or made it raise what it likes."""
    for name in ("digits", "digits in a value", "records that overlap"):
        yield f"{name.replace(' ', '-')}.tar.gz", hostile_tars.SLOW[name]
    for name, members in hostile_tars.SPARSE.items():
        content = hostile_tars.tar(*members, hostile_tars.header("a.png"))
        yield f"sparse-{name.replace(' ', '-')}.tar.gz", content


SEEDS = {
    "image": (images, slow_images),
    "archive": (archives, slow_archives),
    "weights": (weights_files,),
    "pairs": (pair_files,),
    "arrays": (array_files,),
}

if __name__ == "__main__":
    for target, seeds in SEEDS.items():
        (CORPUS / target).mkdir(exist_ok=True)
        for name, content in chain.from_iterable(each() for each in seeds):
            (CORPUS / target / name).write_bytes(content)
