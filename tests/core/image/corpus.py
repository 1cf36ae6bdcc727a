"""Files of every kind, written by libvips, tifffile and Pillow; and other libraries' reading of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import product
from typing import Any

import cv2
import numpy as np
import pyvips
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.pictures import drawn, file

Array = NDArray[Any]
KINDS = {"grey": 1, "grey-alpha": 2, "rgb": 3, "rgba": 4}
DTYPES = ("uint8", "uint16", "float32")
WIDTH, HEIGHT = 53, 37
STORED: dict[str, dict[str, Any]] = {
    "plain": {},
    "lzw": {"compression": "lzw"},
    "deflate": {"compression": "deflate", "predictor": "horizontal"},
    "packbits": {"compression": "packbits"},
    "tiles": {"tile": True, "tile_width": 16, "tile_height": 32},
    "lzw-tiles": {"compression": "lzw", "predictor": "horizontal", "tile": True, "tile_width": 32},
    "big": {"bigtiff": True},
}
FLOATS_STORED: dict[str, dict[str, Any]] = {
    "float-predictor": {"compression": "deflate", "predictor": "float"},
    "float-tiles": {"compression": "lzw", "predictor": "float", "tile": True, "tile_height": 16},
}


@dataclass(frozen=True)
class Case:
    """One kind of file.

    Args:
        write: makes it.
        kind: a key of ``KINDS``: what is to come back.
        lossless: whether its pixels can come back to the bit.
        read: by whom, if not by libvips, which knows no BMP, and takes two separate planes for one.
    """

    name: str
    format: str
    dtype: str
    kind: str
    write: Callable[[], bytes]
    lossless: bool = True
    read: Callable[[bytes], Array] | None = None

    def others_reading(self, content: bytes) -> Array:
        """``(H, W, C)``, by libvips unless it cannot."""
        return self.read(content) if self.read else by_libvips(content)


def pixels(dtype: str, channels: int, seed: int = 0) -> Array:
    """Random ones of all values; floats in [0, 1]."""
    rng = np.random.default_rng(seed)
    shape = (HEIGHT, WIDTH, channels)
    if dtype == "float32":
        return rng.random(shape, np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def vips(values: Array) -> Any:
    """libvips' image of them."""
    grey = values.shape[2] < 3
    deep = values.dtype == np.uint16
    names = ("grey16" if deep else "b-w") if grey else ("rgb16" if deep else "srgb")
    return pyvips.Image.new_from_array(values).copy(interpretation=names)


def _png(dtype: str, channels: int, **options: Any) -> bytes:
    return bytes(vips(pixels(dtype, channels)).pngsave_buffer(filter=0x80, **options))


def _tiff(dtype: str, channels: int, **options: Any) -> bytes:
    return bytes(vips(pixels(dtype, channels)).tiffsave_buffer(**options))


def _lossless_webp(channels: int) -> bytes:
    return bytes(vips(pixels("uint8", channels)).webpsave_buffer(lossless=True, exact=True))


def _jpeg(channels: int) -> bytes:
    return bytes(vips(np.array(drawn("RGB"))[..., :channels]).jpegsave_buffer(Q=90))


def _by_tifffile(dtype: str, channels: int, **options: Any) -> bytes:
    buffer = BytesIO()
    values = pixels(dtype, channels)
    if channels == 1:
        values, options = values[..., 0], {"byteorder": options["byteorder"]}
    elif options["planarconfig"] == "separate":
        values = values.transpose(2, 0, 1)
    extra = ["unassalpha"] if channels in (2, 4) else None
    colours = "rgb" if channels > 2 else "minisblack"
    tifffile.imwrite(buffer, values, photometric=colours, extrasamples=extra, metadata=None, **options)
    return buffer.getvalue()


def _palette(format: str, grey: bool = False, **options: Any) -> bytes:
    image = drawn("L").quantize(16) if grey else drawn("RGB").quantize(16)
    return file(image, format, **options)


def _flat(mode: str, format: str, **options: Any) -> bytes:
    return file(drawn(mode), format, **options)


def cases() -> Iterator[Case]:
    """All of them."""
    for dtype, (kind, channels), lines in product(("uint8", "uint16"), KINDS.items(), (False, True)):
        name = f"png-{dtype}-{kind}{'-interlaced' * lines}"
        yield Case(name, "png", dtype, kind, partial(_png, dtype, channels, interlace=lines))
    for dtype, (kind, channels) in product(DTYPES, KINDS.items()):
        ways = STORED | (FLOATS_STORED if dtype == "float32" else {})
        for way, options in ways.items():
            write = partial(_tiff, dtype, channels, **options)
            yield Case(f"tiff-{dtype}-{kind}-{way}", "tiff", dtype, kind, write)
        for order, planes in product("<>", ("contig", "separate")):
            if planes == "contig" or channels > 1:
                write = partial(_by_tifffile, dtype, channels, byteorder=order, planarconfig=planes)
                name = f"tiff-{dtype}-{kind}-{'big' if order == '>' else 'little'}-endian-{planes}"
                reader = by_tifffile if planes == "separate" and channels == 2 else None
                yield Case(name, "tiff", dtype, kind, write, read=reader)
    for dtype in ("uint8", "uint16"):
        write = partial(_tiff, dtype, 1, miniswhite=True)
        yield Case(f"tiff-{dtype}-grey-white-is-zero", "tiff", dtype, "grey", write)
    for kind in ("rgb", "rgba"):
        yield Case(f"webp-{kind}", "webp", "uint8", kind, partial(_lossless_webp, KINDS[kind]))
    for kind in ("grey", "rgb"):
        yield Case(f"jpeg-{kind}", "jpeg", "uint8", kind, partial(_jpeg, KINDS[kind]), lossless=False)
        mode = "L" if kind == "grey" else "RGB"
        yield Case(f"bmp-{kind}", "bmp", "uint8", kind, partial(_flat, mode, "bmp"), read=by_opencv)
    for format in ("png", "tiff", "bmp"):
        read = by_opencv if format == "bmp" else None
        yield Case(f"{format}-one-bit", format, "uint8", "grey", partial(_flat, "1", format), read=read)
        yield Case(f"{format}-palette", format, "uint8", "rgb", partial(_palette, format), read=read)
        grey = partial(_palette, format, grey=True)
        yield Case(f"{format}-grey-palette", format, "uint8", "grey", grey, read=read)
    transparent = partial(_palette, "png", transparency=bytes(range(0, 256, 16)))
    yield Case("png-transparent-palette", "png", "uint8", "rgba", transparent)
    for mode, key in (("L", 100), ("RGB", (0, 4, 2)), ("I;16", 7000)):
        kind = "rgba" if mode == "RGB" else "grey-alpha"
        dtype = "uint16" if mode == "I;16" else "uint8"
        keyed = partial(_flat, mode, "png", transparency=key)
        yield Case(f"png-transparent-colour-{dtype}-{kind}", "png", dtype, kind, keyed)
    fax = partial(_flat, "1", "tiff", compression="group4")
    yield Case("tiff-one-bit-fax", "tiff", "uint8", "grey", fax)
    photo = partial(_flat, "RGB", "tiff", compression="jpeg", quality=90)
    yield Case("tiff-jpeg", "tiff", "uint8", "rgb", photo)


def by_opencv(content: bytes) -> Array:
    """``(H, W, C)``, blue last."""
    read: Array | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    return read[..., None] if read.ndim == 2 else read[..., ::-1]


def by_tifffile(content: bytes) -> Array:
    """``(H, W, C)``, of separate planes or not."""
    values: Array = tifffile.imread(BytesIO(content))
    return values.transpose(1, 2, 0) if len(values) < HEIGHT else values


def by_libvips(content: bytes) -> Array:
    """``(H, W, C)``, upright."""
    image = pyvips.Image.new_from_buffer(content, "").autorot()
    values: Array = image.numpy()
    return values[..., None] if values.ndim == 2 else values


def described(content: bytes) -> dict[str, Any]:
    """What libvips finds beside the pixels: profile, XMP, resolution, EXIF without orientation."""
    image = pyvips.Image.new_from_buffer(content, "")
    names = [name for name in image.get_fields() if name.startswith(("exif-ifd", "icc-profile", "xmp-"))]
    found = {name: image.get(name) for name in names if not name.endswith("-Orientation")}
    return found | {"xres": round(image.xres, 2), "yres": round(image.yres, 2)}


def orientation(content: bytes) -> int:
    """As libvips finds it, 1 if there is none."""
    image = pyvips.Image.new_from_buffer(content, "")
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def wide_gamut() -> bytes:
    """Display P3's profile, as libvips has it."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


def marked(format: str, dtype: str, turn: int = 1) -> bytes:
    """A colour picture, upright only when turned, with a wide-gamut profile, EXIF, XMP and a resolution."""
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    image = vips(pixels(dtype, 3)).copy(xres=11.811, yres=3.937)
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="{turn}" a="1"/></x:xmpmeta>'
    blob = pyvips.GValue.blob_type
    for name, value in (("icc-profile-data", wide_gamut()), ("exif-data", exif.tobytes()), ("xmp-data", xmp)):
        image.set_type(blob, name, value.encode() if isinstance(value, str) else value)
    image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    options: dict[str, Any] = {"webp": {"lossless": True}}.get(format, {})
    return bytes(image.write_to_buffer(f".{format}", keep="all", **options))


CASES = list(cases())
