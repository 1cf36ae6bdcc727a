"""Compare ``image.decode`` and ``image.encode`` with Pillow by format and size: microseconds and bytes.

``python -m benchmarks.codec`` times both in turns on a photo, from a file to ``(C, H, W)`` floats or back.
Pillow uses its own defaults, lossless for WebP.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from benchmarks.pairing import compare
from n2n_core import image
from n2n_core.image.rounding import to_bytes

SIDES = (32, 256, 1024)
WORK = 2**17  # pixels of one measurement: small pictures are repeated
OPTIONS: dict[str, dict[str, Any]] = {
    "png": {}, "jpeg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True},
}  # fmt: skip


def photo(side: int) -> Image.Image:
    """Return the middle of the astronaut photo, or all of it enlarged."""
    whole = Image.fromarray(np.asarray(data.astronaut()))  # type: ignore[no-untyped-call]
    if side > whole.width:
        return whole.resize((side, side), Image.Resampling.LANCZOS)
    left = (whole.width - side) // 2
    return whole.crop((left, 100, left + side, 100 + side))


def pillow_encode(colour: Tensor, format: str) -> bytes:
    """Encode by Pillow alone."""
    buffer = BytesIO()
    pixels = to_bytes(colour).permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels).save(buffer, format.upper(), **OPTIONS[format])
    return buffer.getvalue()


def pillow_decode(content: bytes) -> Tensor:
    """Decode by Pillow alone, without checks and metadata."""
    with Image.open(BytesIO(content)) as file:
        return torch.from_numpy(np.array(file)).permute(2, 0, 1).float() / 255


def report(name: str, side: int, ours: Callable[[], Any], theirs: Callable[[], Any], pairs: int) -> None:
    """Print microseconds of each, their ratio with quartiles, and bytes if a file was written."""
    count = max(1, min(WORK // side**2, 50))
    found = compare(partial(_often, ours, count), partial(_often, theirs, count), pairs)
    times = f"{found.first / count * 1e6:10.0f}{found.second / count * 1e6:10.0f}"
    ratio = f"{found.ratio:.2f} ({found.lower:.2f} to {found.upper:.2f})"
    sizes = [len(result) for act in (ours, theirs) if isinstance(result := act(), bytes)]
    print(f"{name:18}{side:>6}{times}{ratio:>24}{''.join(f'{size:>10}' for size in sizes)}", flush=True)


def _often(act: Callable[[], object], count: int) -> None:
    for _ in range(count):
        act()


def measure(format: str, side: int, pairs: int) -> None:
    """Print the lines of one format and size."""
    pixels = torch.from_numpy(np.array(photo(side))).permute(2, 0, 1)
    colour = pixels / 255
    picture = image.Picture(colour.numpy(), format=format)
    content = pillow_encode(colour, format)
    report(f"{format} decode", side, partial(image.decode, content), partial(pillow_decode, content), pairs)
    for compression in image.COMPRESSIONS if format == "png" else (None,):
        ours = partial(image.encode, picture, format, compression or "fast")
        name = f"{format} encode {compression or ''}"
        report(name, side, ours, partial(pillow_encode, colour, format), pairs)


def main() -> None:
    """Print a line for each format, direction and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, help="measurements of each case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'microseconds':18}{'side':>6}{'ours':>10}{'Pillow':>10}{'ratio':>24}{'bytes':>10}{'Pillow':>10}")
    for format, side in product(OPTIONS, SIDES):
        measure(format, side, options.pairs)


if __name__ == "__main__":
    main()
