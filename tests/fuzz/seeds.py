"""Write the seed files of the corpus: ``python -m tests.fuzz.seeds``."""

import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Generator

from n2n_core.models import architectures, weights
from n2n_core.models.weights import Card
from tests.fuzz.targets import CORPUS
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


if __name__ == "__main__":
    for target, seeds in {"image": images, "archive": archives, "weights": weights_files}.items():
        for name, content in seeds():
            (CORPUS / target / name).write_bytes(content)
